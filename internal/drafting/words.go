package drafting

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// word is a run of letters, or of digits, of a text: where it stands and its
// folded form (lower case, no accents, no apostrophes).
type word struct {
	start, end int
	folded     string
	small      bool // begins with a small letter
}

func foldedWords(s string) []string {
	var all []string
	for _, w := range words(s) {
		all = append(all, w.folded)
	}
	return all
}

// words cuts a text into runs of letters and runs of digits. An apostrophe
// between letters joins them, except before a final s.
func words(text string) []word {
	var all []word
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		kind := class(r)
		if kind == 0 {
			i += size
			continue
		}
		end := i + size
		for end < len(text) {
			next, n := utf8.DecodeRuneInString(text[end:])
			if (next == '\'' || next == '’') && kind == 'a' && joins(text[end+n:]) {
				end += n
				continue
			}
			if class(next) != kind && !unicode.IsMark(next) {
				break
			}
			end += n
		}
		all = append(all, word{i, end, foldWord(text[i:end]), unicode.IsLower(r)})
		i = end
	}
	return all
}

func class(r rune) byte {
	switch {
	case r == utf8.RuneError:
		return 0
	case unicode.IsLetter(r):
		return 'a'
	case unicode.IsDigit(r):
		return '0'
	}
	return 0
}

// joins says whether what follows an apostrophe goes on with the word: it does
// in O'Brien and does not in Ana's.
func joins(rest string) bool {
	first, n := utf8.DecodeRuneInString(rest)
	second, _ := utf8.DecodeRuneInString(rest[n:])
	return unicode.IsLetter(first) && (unicode.IsLetter(second) || first != 's' && first != 'S')
}

func foldWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\'' || r == '’' || unicode.IsMark(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}
