package drafting

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// cleanText makes a text what it looks like: composed (NFC), with no control,
// zero-width, direction, variation or tag characters. Line breaks stay, tabs
// become spaces, bytes that are no UTF-8 go.
func cleanText(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t' || r == '\u2028' || r == '\u2029' || r == '\u00a0':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector), r == '\u3164', r == '\u115f', r == '\u1160', r == '\uffa0':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.TrimSpace(norm.NFC.String(s))
}

// oneLine cleans a text and makes it one line with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(cleanText(s)), " ") }

var forged = regexp.MustCompile(`(?m)^(?:Patient|Age band|Kind|Urgency|What happened|What to say|Facts|Summary|History|Medications|Allergies|Notes):|^- |^<<<|^[0-9a-f]{16}-BRIEF`)

// guardLines sets in the lines after the first that begin like one of ours.
func guardLines(s string) string {
	first, rest, more := strings.Cut(s, "\n")
	if !more {
		return s
	}
	return first + "\n" + forged.ReplaceAllString(rest, " $0")
}
