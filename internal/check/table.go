package check

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// rule is one row of the table: its name, and the function that looks. A rule
// that cannot judge a subject (another language, say) answers false and does
// not count as having run.
type rule struct {
	name string
	look func(*reading) ([]Finding, bool)
}

// rules is the table. Its order is the order of findings of one level. A new
// check is a function in the file of its theme and a row here.
func rules() []rule {
	return []rule{
		{"C1", placeholders},    // leftovers.go
		{"C2", chatter},         // leftovers.go
		{"C3", otherPatients},   // identity.go
		{"C4", numberLock},      // numberlock.go
		{"C10", escalation},     // safetynet.go
		{"C12", falseAssurance}, // assurance.go
		{"C14", readability},    // readability.go
		{"C15", wordLimit},      // readability.go
		{"C17", missingParts},   // safetynet.go
	}
}

// reading is a subject read once, for all checks: the text cut into tokens and
// sentences, and the brief's fields.
type reading struct {
	Subject
	tokens    []token
	sentences []Sentence
	words     int
	numbers   []quantity // of the text
	known     *numberSet // what knownNumbers found
}

// Run looks at a subject with every check. It never panics and has no effects.
func Run(s Subject) Report {
	r := read(s)
	report := Report{Words: r.words, Sentences: r.sentences}
	measures := r.measure()
	report.Grade, report.LongestSentence = measures.fleschKincaid, measures.longest
	order := map[string]int{}
	for i, rule := range rules() {
		found, ran := rule.look(r)
		if !ran {
			continue
		}
		report.Ran++
		order[rule.name] = i
		for _, f := range found {
			f.Check = rule.name
			f.Key = key(rule.name, f.Key)
			report.Findings = append(report.Findings, f)
		}
	}
	slices.SortStableFunc(report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(order[a.Check], order[b.Check]), cmp.Compare(firstByte(a), firstByte(b)))
	})
	return report
}

func read(s Subject) *reading {
	if s.Settings.Grade == 0 {
		s.Settings.Grade = 6
	}
	if s.Settings.MaxWords == 0 {
		s.Settings.MaxWords = 150
	}
	r := &reading{Subject: s, tokens: tokenize(s.Text)}
	r.sentences = splitSentences(s.Text, r.tokens)
	r.words = countWords(s.Text)
	r.numbers = quantities(s.Text, r.tokens)
	r.ground()
	return r
}

func firstByte(f Finding) int {
	if len(f.Spans) == 0 {
		return -1
	}
	return f.Spans[0].Start
}

// key hides the matter behind a hash. Short matters can be guessed by trying,
// so keys belong where the brief itself may be read, and nowhere else.
func key(check, matter string) string {
	sum := sha256.Sum256([]byte(check + "\x00" + matter))
	return strings.ToLower(check) + "-" + hex.EncodeToString(sum[:12])
}

// english says whether the text is to be judged by rules made for English.
func (r *reading) english() bool {
	language := strings.ToLower(r.Settings.Language)
	return language == "" || language == "en" || strings.HasPrefix(language, "en-")
}

// wordsAt gives the normal forms of the n tokens at i, joined by spaces; it stops
// at the text's ends.
func (r *reading) wordsAt(i, n int) string {
	from, to := max(i, 0), min(i+n, len(r.tokens))
	var b strings.Builder
	for j := from; j < to; j++ {
		if j > from {
			b.WriteByte(' ')
		}
		b.WriteString(r.tokens[j].norm)
	}
	return b.String()
}
