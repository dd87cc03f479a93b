package check

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed data/redflags.tsv
var redFlagsFile string

// RedFlag is a sign of danger that a brief speaks of as present. Field says
// where it was found (inquiry, point 2, fact f1) and Span where in that field.
type RedFlag struct {
	Name, Advice string
	Field        string
	Span         Span
}

type flagRule struct {
	name, advice string
	context      *lexicon // nil: the symptom alone is enough
}

type flagTable struct {
	rules    []flagRule
	symptoms *lexicon
	rule     []int // symptom phrase -> rule
}

var flagRules = sync.OnceValue(func() flagTable {
	var t flagTable
	var phrases []string
	for _, line := range dataLines(redFlagsFile) {
		f := strings.Split(line, "\t")
		if len(f) != 5 {
			continue
		}
		rule := flagRule{name: f[0], advice: f[3]}
		if f[2] != "-" {
			rule.context = newLexicon(strings.Split(f[2], "; ")...)
		}
		for _, p := range strings.Split(f[1], "; ") {
			phrases = append(phrases, p)
			t.rule = append(t.rule, len(t.rules))
		}
		t.rules = append(t.rules, rule)
	}
	t.symptoms = newLexicon(phrases...)
	return t
})

// RedFlags lists the signs of danger in what happened, what to say and the
// facts of a brief. A sign that is denied ("no chest pain") does not count, nor
// one that a point or fact only warns of ("call if you get chest pain"). What
// makes a sign dangerous (chemotherapy, blood thinners, pregnancy) is looked
// for in the whole brief, history and medications included.
func RedFlags(b Brief) []RedFlag {
	table := flagRules()
	var context [][]token
	var found []RedFlag
	look := func(field, text string, conditional bool) {
		tokens := tokenize(text)
		splitSentences(text, tokens)
		for _, h := range table.symptoms.find(tokens) {
			rule := table.rules[table.rule[h.phrase]]
			if denied(tokens, h) || conditional && warned(tokens, h) {
				continue
			}
			if rule.context != nil {
				if context == nil {
					context = b.contextTokens()
				}
				if !speaksOf(rule.context, context) {
					continue
				}
			}
			found = append(found, RedFlag{rule.name, rule.advice, field, h.span(tokens)})
		}
	}
	look("inquiry", b.Inquiry, false)
	for i, p := range b.Points {
		look(fmt.Sprintf("point %d", i+1), p, true)
	}
	for _, f := range b.Facts {
		look("fact "+f.ID, f.Text, true)
	}
	return found
}

func (b Brief) contextTokens() [][]token {
	var all [][]token
	for _, text := range b.fields() {
		tokens := tokenize(text)
		splitSentences(text, tokens)
		all = append(all, tokens)
	}
	return all
}

func speaksOf(context *lexicon, fields [][]token) bool {
	for _, tokens := range fields {
		for _, h := range context.find(tokens) {
			if !denied(tokens, h) {
				return true
			}
		}
	}
	return false
}

var (
	turns     = []string{"but", "however", "except", "although", "though", "reports", "complains", "now", "has", "yet", "until", "since", "today"}
	strongNot = []string{"denies", "denied", "denying", "negative"}
	weakNot   = []string{"no", "without", "not", "isn't", "doesn't", "don't", "hasn't", "haven't", "nor", "didn't"}
	notNot    = []string{"relief", "better", "improvement", "change", "worse", "idea", "doubt", "longer", "sure", "certain", "only", "improving", "know",
		"just", "stopping", "going", "help", "helping", "able", "matter"}
)

// denied says whether a sign is said not to be there. It leans towards "it is
// there": "no" reaches over a comma only in a list that ends with "or".
func denied(tokens []token, h hit) bool {
	if h.to < len(tokens) && tokens[h.to].sentence == tokens[h.from].sentence && slices.Contains([]string{"denied", "none", "absent", "negative"}, tokens[h.to].norm) {
		return true
	}
	commas := 0
	for j := h.from - 1; j >= 0 && h.from-j <= 14 && tokens[j].sentence == tokens[h.from].sentence; j-- {
		word := tokens[j].norm
		if tokens[j].comma {
			commas++
		}
		switch {
		case slices.Contains(turns, word):
			return false
		case slices.Contains(strongNot, word):
			return true
		case word == "history" && j > 0 && tokens[j-1].norm == "family":
			return true
		case slices.Contains(weakNot, word):
			if slices.Contains(notNot, tokens[j+1].norm) {
				return false
			}
			return commas == 0 && h.from-j <= 6 || listOr(tokens, j, h)
		}
	}
	return false
}

// listOr says whether the list that begins after j goes on to an "or" with
// nothing but list items on the way.
func listOr(tokens []token, j int, h hit) bool {
	for k := j + 1; k < len(tokens) && k < h.to+8 && tokens[k].sentence == tokens[h.from].sentence; k++ {
		if slices.Contains(turns, tokens[k].norm) {
			return false
		}
		if tokens[k].norm == "or" || tokens[k].norm == "nor" {
			return true
		}
	}
	return false
}

// warned says whether the sentence speaks of what to do if the sign comes.
func warned(tokens []token, h hit) bool {
	for j := h.from - 1; j >= 0 && tokens[j].sentence == tokens[h.from].sentence; j-- {
		switch tokens[j].norm {
		case "if", "should", "case", "unless", "when", "watch", "for", "any", "signs":
			return true
		}
	}
	return false
}
