package sendgrid

import (
	"html"
	"strings"
)

// htmlPart is the plain text as a small page: paragraphs, line breaks, and links for web addresses. It loads nothing
// from anywhere: no image, style sheet or font.
func htmlPart(text string) string {
	var out strings.Builder
	out.WriteString(`<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		`</head><body style="font-family:sans-serif;font-size:17px;line-height:1.5;max-width:34em">`)
	for paragraph := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")), "\n\n") {
		if strings.TrimSpace(paragraph) == "" {
			continue
		}
		out.WriteString("<p>")
		for i, line := range strings.Split(strings.TrimSpace(paragraph), "\n") {
			if i > 0 {
				out.WriteString("<br>")
			}
			writeLine(&out, line)
		}
		out.WriteString("</p>")
	}
	out.WriteString("</body></html>")
	return out.String()
}

func writeLine(out *strings.Builder, line string) {
	for i, word := range strings.Split(line, " ") {
		if i > 0 {
			out.WriteByte(' ')
		}
		if !strings.HasPrefix(word, "https://") && !strings.HasPrefix(word, "http://") {
			out.WriteString(html.EscapeString(word))
			continue
		}
		address := strings.TrimRight(word, ".,;:!?)")
		out.WriteString(`<a href="` + html.EscapeString(address) + `">` + html.EscapeString(address) + `</a>` +
			html.EscapeString(word[len(address):]))
	}
}
