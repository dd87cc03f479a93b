// Package check answers one question: is this message safe to sign?
//
// It knows a text, the brief the text was written from, who the patient is and
// who the other patients of the care team are. It knows no database, no clock
// and no network: the same Subject always gives the same Report, and nothing
// leaves the process. It does not know medicine beyond its data files, it does
// not correct a text, and it never shortens one.
//
// Every check is a row of the table in table.go and lives in the file of its
// theme. A check may raise a finding; no check can clear another's finding.
package check

import "time"

// Level says what a finding asks of the signer.
type Level int

// Info is shown, Confirm needs an acknowledgement of its own, Block cannot be
// signed at all.
const (
	Info Level = iota
	Confirm
	Block
)

// String gives the level's short name, which is also its CSS class.
func (l Level) String() string {
	switch l {
	case Block:
		return "stop"
	case Confirm:
		return "ask"
	default:
		return "info"
	}
}

// Fact is one chip of the brief: something the message may rest on.
// Kind is drug, result, date, instruction or allergy.
type Fact struct{ ID, Kind, Text string }

// Brief is what the message is to be written from, with the patient's summary
// as it was when the brief was written. Kind is clinical or administrative.
type Brief struct {
	Inquiry string
	Points  []string
	Facts   []Fact
	Kind    string
	Urgency string
	Channel string

	Summary, History, Medications, Allergies, Notes string
}

// Identity is what tells one person from another. The first name is the full
// name; the others are names the person also goes by.
type Identity struct {
	Names      []string
	BirthDates []time.Time
	MRNs       []string
	Phones     []string
	Emails     []string
}

// Settings are the signing doctor's wishes. A Grade of 0 means 6, a MaxWords
// of 0 means 150, an empty Language means English.
type Settings struct {
	Grade    float64
	MaxWords int
	Language string
}

// Subject is everything one run may look at.
type Subject struct {
	Text     string
	Brief    Brief
	Patient  Identity
	Others   []Identity // other patients of the care team, for C3
	Settings Settings
	SignOff  string // what approve will append; not part of Text
	// AllowedNumbers are numbers any message of this clinic may hold, such as
	// its own phone number, its opening hours and 911.
	AllowedNumbers []string
	Now            time.Time // the day on which a date without a year is read
}

// Span is a range of bytes in a text. It never splits a rune.
type Span struct{ Start, End int }

// Finding is one matter a check wants settled. Key stays the same from run to
// run while the matter does, so an acknowledgement can be kept by it; it is a
// one-way hash and carries no text. Title and Detail may quote the message and
// are for the signer's screen only, never for logs.
type Finding struct {
	Check   string
	Level   Level
	Title   string
	Detail  string
	Spans   []Span
	Key     string
	Suggest []string
}

// Sentence is a sentence of the text, with the facts (by ID) and the points (by
// index) of the brief that it visibly rests on. A greeting rests on nothing and
// needs nothing.
type Sentence struct {
	Start, End int
	Facts      []string
	Points     []int
	Greeting   bool
}

// Report is the outcome of one run. Findings come gravest first, and then in
// the table's order. Grade is the Flesch-Kincaid school grade, LongestSentence
// is in words, Ran is the number of checks that looked.
type Report struct {
	Findings        []Finding
	Words           int
	Grade           float64
	LongestSentence int
	Sentences       []Sentence
	Ran             int
}

// Blocking lists the findings with which no one can sign.
func (r Report) Blocking() []Finding {
	var stop []Finding
	for _, f := range r.Findings {
		if f.Level == Block {
			stop = append(stop, f)
		}
	}
	return stop
}

// Unanswered lists the findings that need an acknowledgement and have none.
func (r Report) Unanswered(acks map[string]bool) []Finding {
	var open []Finding
	for _, f := range r.Findings {
		if f.Level == Confirm && !acks[f.Key] {
			open = append(open, f)
		}
	}
	return open
}

// Signable says whether nothing blocks and everything asked is answered.
func (r Report) Signable(acks map[string]bool) bool {
	return len(r.Blocking()) == 0 && len(r.Unanswered(acks)) == 0
}

// NeedsDoctor says whether a message must be signed by a doctor. Clinical ones
// must; one called administrative must as well when its brief holds a fact, or
// when a check of clinical content (C4 to C10, C13) asked or stopped.
func NeedsDoctor(kind string, b Brief, r Report) bool {
	if kind != "administrative" || len(b.Facts) > 0 {
		return true
	}
	for _, f := range r.Findings {
		if f.Level == Info {
			continue
		}
		switch f.Check {
		case "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C13":
			return true
		}
	}
	return false
}
