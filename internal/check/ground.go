package check

import (
	"slices"
	"strings"
)

// ground notes for each sentence the facts and points it rests on. A fact must be exact: one whose numbers are not all in the
// text, because a dose was changed, is not in the text, however many of its words are.
func (r *reading) ground() {
	facts := make([]evidence, len(r.Brief.Facts))
	for i, f := range r.Brief.Facts {
		facts[i] = weigh(f.Text)
	}
	points := make([]evidence, len(r.Brief.Points))
	for i, p := range r.Brief.Points {
		points[i] = weigh(p)
	}
	var whole evidence
	for _, q := range r.numbers {
		whole.addNumber(q)
		for _, other := range q.or {
			whole.addNumber(other)
		}
	}
	for i := range r.sentences {
		s := &r.sentences[i]
		if s.Greeting {
			continue
		}
		said := r.evidenceOf(i)
		for n, f := range facts {
			if f.within(said) && f.numbersIn(whole) {
				s.Facts = append(s.Facts, r.Brief.Facts[n].ID)
			}
		}
		for n, p := range points {
			if p.within(said) {
				s.Points = append(s.Points, n)
			}
		}
	}
}

// evidence is what a piece of text says: its words that carry meaning, cut to
// their stems, and its numbers.
type evidence struct {
	stems   []string
	numbers []string
}

func weigh(text string) evidence {
	tokens := tokenize(text)
	var e evidence
	for _, t := range tokens {
		e.addWord(t.norm)
	}
	for _, q := range quantities(text, tokens) {
		e.addNumber(q)
	}
	return e
}

func (r *reading) evidenceOf(sentence int) evidence {
	var e evidence
	for _, t := range r.tokens {
		if t.sentence == sentence {
			e.addWord(t.norm)
		}
	}
	for _, q := range r.numbers {
		if r.tokens[q.token].sentence == sentence {
			e.addNumber(q)
		}
	}
	return e
}

func (e *evidence) addWord(word string) {
	if len(word) < 4 || word[0] <= '9' || slices.Contains(emptyWords, word) || unitTable[word].name != "" {
		return
	}
	if stem := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(word, "s"), "ing"), "ed"); len(stem) > 3 {
		word = stem
	}
	if !slices.Contains(e.stems, word) {
		e.stems = append(e.stems, word)
	}
}

func (e *evidence) addNumber(q quantity) {
	if q.soft {
		return
	}
	name := q.value
	if q.kind == aDate {
		name = plainNumber(float64(q.m*100 + q.d))
	}
	if name != "" {
		e.numbers = append(e.numbers, name+" "+q.unit)
	}
}

// within says whether a sentence visibly says this: a number and a word of it,
// or at least half of its words.
func (e evidence) within(said evidence) bool {
	words, numbers := 0, 0
	for _, w := range e.stems {
		if slices.Contains(said.stems, w) {
			words++
		}
	}
	for _, n := range e.numbers {
		if slices.Contains(said.numbers, n) {
			numbers++
		}
	}
	if len(e.stems) == 0 {
		return numbers > 0
	}
	return numbers > 0 && words > 0 || numbers > 0 && numbers == len(e.numbers) && len(e.stems) <= 2 || words > 0 && 2*words >= len(e.stems)
}

func (e evidence) numbersIn(said evidence) bool {
	return !slices.ContainsFunc(e.numbers, func(n string) bool { return !slices.Contains(said.numbers, n) })
}

var emptyWords = []string{"with", "from", "that", "this", "have", "will", "your", "you're", "they", "them", "then", "than", "when", "what",
	"where", "which", "please", "daily", "once", "twice", "each", "every", "more", "most", "much", "some", "about", "after", "before", "into",
	"been", "were", "does", "should", "would", "could", "also", "very", "just", "only", "patient", "doctor", "take"}
