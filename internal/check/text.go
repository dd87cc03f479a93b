package check

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// token is a word or a number of a text. norm is its lower-case form with plain
// apostrophes, without accents, and with every script's digits as 0 to 9.
type token struct {
	start, end int
	norm       string
	sentence   int // which sentence it stands in
	comma      bool
}

// tokenize cuts a text into words and numbers. An apostrophe inside a word and
// a point or comma inside a number belong to it; a hyphen does not.
func tokenize(text string) []token {
	tokens := make([]token, 0, len(text)/5)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !wordRune(r) {
			if r == ',' && len(tokens) > 0 {
				tokens[len(tokens)-1].comma = true
			}
			i += size
			continue
		}
		end := tokenEnd(text, i)
		tokens = append(tokens, token{start: i, end: end, norm: fold(text[i:end])})
		i = end
	}
	return tokens
}

func tokenEnd(text string, i int) int {
	previous := rune(0)
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if wordRune(r) {
			previous = r
			i += size
			continue
		}
		next, _ := utf8.DecodeRuneInString(text[i+size:])
		joins := (r == '\'' || r == '’') && unicode.IsLetter(previous) && unicode.IsLetter(next) ||
			(r == '.' || r == ',') && unicode.IsDigit(previous) && unicode.IsDigit(next)
		if !joins {
			return i
		}
		i += size
	}
	return i
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// fold gives the form under which two spellings of a word are the same.
func fold(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '’':
			return '\''
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.Is(unicode.Nd, r):
			return digit(r)
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// digit gives the ASCII digit of a decimal digit in any script.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) && r >= rune(t.Lo) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r <= rune(t.Hi) && r >= rune(t.Lo) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}

// countWords counts the way a word processor does: what stands between spaces
// and holds a letter or a digit.
func countWords(text string) int {
	n, inField, counted := 0, false, false
	for _, r := range text {
		if unicode.IsSpace(r) {
			inField, counted = false, false
			continue
		}
		if !inField {
			inField = true
		}
		if !counted && wordRune(r) {
			counted = true
			n++
		}
	}
	return n
}

// never ends a sentence; may end one when a capital follows.
func abbreviation(word string) (never, unlessCapital bool) {
	switch word {
	case "dr", "mr", "mrs", "ms", "prof", "st", "vs", "no", "tel", "ext", "approx", "eg", "ie", "g", "jan", "feb", "mar",
		"apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri":
		return true, false
	case "m", "etc", "jr", "sr", "hr", "hrs", "min", "mins", "wk", "wks", "tab", "tabs", "mg", "ml":
		return false, true
	}
	return false, false
}

// splitSentences cuts a text into sentences and notes in each token which one
// it stands in. Ends are a full stop, question or exclamation mark before a
// space, a blank line, and a line break before anything but a small letter.
func splitSentences(text string, tokens []token) []Sentence {
	var sentences []Sentence
	start, next := 0, 0
	flush := func(end int) {
		from, to := trimSpan(text, start, end)
		first := next
		for next < len(tokens) && tokens[next].start < end {
			tokens[next].sentence = len(sentences)
			next++
		}
		if next > first {
			sentences = append(sentences, Sentence{Start: from, End: to, Greeting: greeting(text[from:to], tokens[first:next])})
		}
		start = end
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			if lineEnds(text, i) {
				flush(i + 1)
			}
		case '.', '!', '?':
			if end := sentenceEnd(text, i); end > 0 {
				flush(end)
				i = end - 1
			}
		}
	}
	flush(len(text))
	return sentences
}

func trimSpan(text string, start, end int) (int, int) {
	part := text[start:end]
	left := len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace))
	return start + left, start + left + len(strings.TrimSpace(part))
}

func lineEnds(text string, i int) bool {
	rest := strings.TrimLeft(text[i+1:], " \t")
	r, _ := utf8.DecodeRuneInString(rest)
	return !unicode.IsLower(r) || strings.HasSuffix(strings.TrimRight(text[:i], " \t"), ",") && greetingLine(text, i)
}

func greetingLine(text string, i int) bool {
	line := text[strings.LastIndexByte(text[:i], '\n')+1 : i]
	return len(line) < 80 && isGreetingWord(fold(firstWord(line)))
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return strings.TrimRight(word, ",!.")
}

// sentenceEnd gives the byte after the sentence that the mark at i ends, or 0.
func sentenceEnd(text string, i int) int {
	end := i + 1
	for end < len(text) && strings.IndexByte(".!?\"')]", text[end]) >= 0 {
		end++
	}
	if strings.HasPrefix(text[end:], "”") || strings.HasPrefix(text[end:], "’") {
		end += len("”")
	}
	if end == len(text) {
		return end
	}
	after, _ := utf8.DecodeRuneInString(text[end:])
	if !unicode.IsSpace(after) {
		return 0
	}
	following, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
	if text[i] == '.' {
		from := i
		for from > 0 && ('a' <= text[from-1]|0x20 && text[from-1]|0x20 <= 'z') {
			from--
		}
		word := text[from:i]
		never, unlessCapital := abbreviation(strings.ToLower(word))
		initial := len(word) == 1 && word >= "A" && word <= "Z" && word != "I"
		if never && (strings.ToLower(word) != "no" || unicode.IsDigit(following)) || initial || unlessCapital && !unicode.IsUpper(following) {
			return 0
		}
	}
	if unicode.IsLower(following) && text[i] == '.' {
		return 0
	}
	return end
}

func isGreetingWord(word string) bool {
	return slices.Contains([]string{"dear", "hi", "hello", "hey", "greetings"}, word)
}

// greeting says whether a sentence is only the line that addresses the reader.
func greeting(sentence string, tokens []token) bool {
	if len(tokens) == 0 || len(tokens) > 8 {
		return false
	}
	good := tokens[0].norm == "good" && len(tokens) > 1 && slices.Contains([]string{"morning", "afternoon", "evening", "day"}, tokens[1].norm)
	return (isGreetingWord(tokens[0].norm) || good) && !strings.HasSuffix(sentence, ".")
}
