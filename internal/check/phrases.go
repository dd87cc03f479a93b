package check

import (
	"slices"
	"strings"
)

// A phrase is a row of words to look for. The notation of the data files:
//
//	a|b    one of these words
//	a*     any word that begins so
//	?a     may be left out
//	..     up to four words between, in the same sentence
type phrase []element

type element struct {
	words    []string // normal forms; a final * makes a beginning of it
	optional bool
	gap      bool
}

// maxGap is how many words a ".." may skip.
const maxGap = 4

func parsePhrase(line string) phrase {
	var p phrase
	for _, part := range strings.Fields(line) {
		if part == ".." {
			p = append(p, element{gap: true})
			continue
		}
		rest, optional := strings.CutPrefix(part, "?")
		p = append(p, element{words: strings.Split(rest, "|"), optional: optional})
	}
	return p
}

// lexicon finds any of many phrases in one walk over a text. It is immutable.
type lexicon struct {
	phrases []phrase
	byStart map[string][]int // the first two bytes of a first word -> phrases
}

func newLexicon(lines ...string) *lexicon {
	l := &lexicon{byStart: map[string][]int{}}
	for _, line := range lines {
		p := parsePhrase(line)
		n := len(l.phrases)
		l.phrases = append(l.phrases, p)
		for _, word := range p[0].words {
			at := word[:min(2, len(word))]
			if !slices.Contains(l.byStart[at], n) {
				l.byStart[at] = append(l.byStart[at], n)
			}
		}
	}
	return l
}

// hit is a place where a phrase was found: which phrase, and its tokens as
// first and one past the last.
type hit struct{ phrase, from, to int }

// find gives every place where a phrase begins, the longest one for each place.
func (l *lexicon) find(tokens []token) []hit {
	var hits []hit
	for i := 0; i < len(tokens); i++ {
		word := tokens[i].norm
		best := hit{}
		for _, n := range l.byStart[word[:min(2, len(word))]] {
			if to := match(l.phrases[n], tokens, i, tokens[i].sentence); to > best.to {
				best = hit{n, i, to}
			}
		}
		if best.to > 0 {
			hits = append(hits, best)
		}
	}
	return hits
}

// match gives the token after the phrase when it stands at i, else 0.
func match(p phrase, tokens []token, i, sentence int) int {
	if len(p) == 0 {
		return i
	}
	if p[0].gap {
		for skip := 0; skip <= maxGap; skip++ {
			if to := match(p[1:], tokens, i+skip, sentence); to > 0 {
				return to
			}
		}
		return 0
	}
	if i < len(tokens) && tokens[i].sentence == sentence && p[0].fits(tokens[i].norm) {
		if to := match(p[1:], tokens, i+1, sentence); to > 0 {
			return to
		}
	}
	if p[0].optional {
		return match(p[1:], tokens, i, sentence)
	}
	return 0
}

func (e element) fits(word string) bool {
	for _, w := range e.words {
		if stem, open := strings.CutSuffix(w, "*"); open && strings.HasPrefix(word, stem) || w == word {
			return true
		}
	}
	return false
}

// span gives the bytes from a hit's first token to its last.
func (h hit) span(tokens []token) Span {
	return Span{tokens[h.from].start, tokens[h.to-1].end}
}

// dataLines gives the lines of a data file that are not blank or comment.
func dataLines(file string) []string {
	var lines []string
	for line := range strings.Lines(file) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}
