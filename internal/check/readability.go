package check

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"sync"
)

//go:embed data/plainwords.tsv
var plainWordsFile string

//go:embed data/dalechall.txt
var daleChallFile string

// longSentence is the number of words from which a sentence is called long.
const longSentence = 25

// measures are the reading grades of a text. The greeting is left out: it is no
// sentence and would flatter every figure.
type measures struct {
	fleschKincaid, smog, daleChall float64
	sentences, longest             int
	longSpans                      []Span
}

func (r *reading) measure() measures {
	var m measures
	words, syllables, polysyllables, hard := 0, 0, 0, 0
	for i, at := 0, 0; i < len(r.sentences); i++ {
		from := at
		for at < len(r.tokens) && r.tokens[at].sentence == i {
			at++
		}
		if r.sentences[i].Greeting || at == from {
			continue
		}
		n := countWords(r.Text[r.sentences[i].Start:r.sentences[i].End])
		m.sentences++
		m.longest = max(m.longest, n)
		words += n
		if n > longSentence {
			m.longSpans = append(m.longSpans, Span{r.sentences[i].Start, r.sentences[i].End})
		}
		for _, t := range r.tokens[from:at] {
			count := syllableCount(t.norm)
			syllables += count
			if count >= 3 {
				polysyllables++
			}
			if !familiar(t.norm) {
				hard++
			}
		}
	}
	if words == 0 || m.sentences == 0 {
		return m
	}
	length := float64(words) / float64(m.sentences)
	m.fleschKincaid = math.Max(0, 0.39*length+11.8*float64(syllables)/float64(words)-15.59)
	m.smog = 1.0430*math.Sqrt(float64(polysyllables)*30/float64(m.sentences)) + 3.1291
	m.daleChall = daleChallGrade(100*float64(hard)/float64(words), length)
	return m
}

// daleChallGrade gives the new Dale-Chall score as the middle of its band of
// school grades.
func daleChallGrade(percentHard, length float64) float64 {
	score := 0.1579*percentHard + 0.0496*length
	if percentHard > 5 {
		score += 3.6365
	}
	switch {
	case score < 5:
		return 4
	case score < 10:
		return 5.5 + 2*math.Floor(score-5)
	default:
		return 16
	}
}

// familiar says whether a word, or what its ending was put on, is in the list
// of easy words. Numbers are.
func familiar(word string) bool {
	if word == "" || word[0] >= '0' && word[0] <= '9' {
		return true
	}
	easy := easyWords()
	if easy[word] {
		return true
	}
	for _, ending := range []string{"'s", "s", "es", "ed", "d", "ing", "ly", "er", "est", "n't", "'ll", "'re", "'ve"} {
		stem, ok := strings.CutSuffix(word, ending)
		if !ok || len(stem) < 2 {
			continue
		}
		if easy[stem] || easy[stem+"e"] || strings.HasSuffix(stem, "i") && easy[stem[:len(stem)-1]+"y"] ||
			len(stem) > 3 && stem[len(stem)-1] == stem[len(stem)-2] && easy[stem[:len(stem)-1]] {
			return true
		}
	}
	return false
}

var easyWords = sync.OnceValue(func() map[string]bool {
	easy := map[string]bool{}
	for _, w := range dataLines(daleChallFile) {
		easy[w] = true
	}
	return easy
})

// readability is C14: a school grade above the doctor's level, long sentences,
// and hard words that have a plain one. Two grades over by Flesch-Kincaid, or by
// both of the others, asks; anything less is shown.
func readability(r *reading) ([]Finding, bool) {
	if !r.english() {
		return nil, false
	}
	m, goal := r.measure(), r.Settings.Grade
	var all []Finding
	if over := m.fleschKincaid - goal; over >= 2 || over >= 1 && m.smog-goal >= 4 && m.daleChall-goal >= 4 {
		all = append(all, Finding{Level: Confirm, Key: fmt.Sprint("grade ", int(over)), Title: fmt.Sprintf("Reads at grade %.0f, the goal is %.0f", m.fleschKincaid, goal),
			Detail: fmt.Sprintf("Flesch-Kincaid %.1f, SMOG %.1f, Dale-Chall about %.0f. Shorter sentences and words bring it down.", m.fleschKincaid, m.smog, m.daleChall)})
	} else if over > 0.5 {
		all = append(all, Finding{Level: Info, Key: "grade", Title: fmt.Sprintf("Reads at grade %.0f, the goal is %.0f", math.Ceil(m.fleschKincaid), goal),
			Detail: fmt.Sprintf("Flesch-Kincaid %.1f, SMOG %.1f, Dale-Chall about %.0f.", m.fleschKincaid, m.smog, m.daleChall)})
	}
	if len(m.longSpans) > 0 {
		all = append(all, Finding{Level: Info, Key: "long", Title: fmt.Sprintf("Long sentence: %d words", m.longest), Detail: "Two short ones are easier to follow.", Spans: m.longSpans})
	}
	return append(all, r.hardWords()...), true
}

// plainWords are hard words and phrases with the plain ones for them.
type plainWords struct {
	hard  *lexicon
	plain [][]string
}

var plainer = sync.OnceValue(func() plainWords {
	var p plainWords
	var hard []string
	for _, line := range dataLines(plainWordsFile) {
		if f := strings.Split(line, "\t"); len(f) == 3 {
			hard = append(hard, f[0])
			p.plain = append(p.plain, strings.Split(f[1], ", "))
		}
	}
	p.hard = newLexicon(hard...)
	return p
})

func (r *reading) hardWords() []Finding {
	p := plainer()
	byPhrase := map[int]int{}
	var all []Finding
	for _, h := range p.hard.find(r.tokens) {
		if i, ok := byPhrase[h.phrase]; ok {
			all[i].Spans = append(all[i].Spans, h.span(r.tokens))
			continue
		}
		byPhrase[h.phrase] = len(all)
		all = append(all, Finding{Level: Info, Key: fmt.Sprint("word ", r.wordsAt(h.from, h.to-h.from)), Spans: []Span{h.span(r.tokens)},
			Title: "A plainer word for “" + r.Text[h.span(r.tokens).Start:h.span(r.tokens).End] + "”", Detail: "Some readers will not know this one.", Suggest: p.plain[h.phrase]})
	}
	return all
}

// wordLimit is C15: more words than the doctor allows. An acknowledgement holds
// while the text does not grow by another tenth of the limit.
func wordLimit(r *reading) ([]Finding, bool) {
	limit := r.Settings.MaxWords
	if r.words <= limit {
		return nil, true
	}
	return []Finding{{Level: Confirm, Key: fmt.Sprint("words ", limit, (r.words-limit-1)*10/limit), Title: fmt.Sprintf("%d words, the limit is %d", r.words, limit),
		Detail: "Shorten it, or confirm that it needs the room. Nothing is cut for you."}}, true
}
