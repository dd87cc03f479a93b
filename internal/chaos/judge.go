package chaos

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Result is one invariant's line of the verdict.
type Result struct {
	Name    string // I1 … I20
	Checked string // what was looked at, with counts
	Held    string // what was found true of it, unless something is broken
	Apart   string // what is counted apart from the promise
	NotYet  string // why it cannot be judged yet
	Broken  []string
}

// Verdict is what became of the invariants.
type Verdict struct {
	Results []Result
	Unasked []string // processes that ended by themselves, and what else should not have happened to the run itself
}

// Broken says whether anything did not hold.
func (v Verdict) Broken() bool { return len(v.Names()) > 0 || len(v.Unasked) > 0 }

// Names are the invariants that did not hold.
func (v Verdict) Names() (names []string) {
	for _, r := range v.Results {
		if len(r.Broken) > 0 {
			names = append(names, r.Name)
		}
	}
	return names
}

// shownMost is how many violations of an invariant a report quotes.
const shownMost = 5

// String is the line of the report, and under it the first violations.
func (r Result) String() string {
	apart := ""
	if r.Apart != "" {
		apart = " (+" + r.Apart + ")"
	}
	switch {
	case r.NotYet != "":
		return fmt.Sprintf("%-4s not yet  %s", r.Name, r.NotYet)
	case len(r.Broken) == 0 && r.Held != "":
		return fmt.Sprintf("%-4s ok       %s, %s%s", r.Name, r.Checked, r.Held, apart)
	case len(r.Broken) == 0:
		return fmt.Sprintf("%-4s ok       %s%s", r.Name, r.Checked, apart)
	}
	text := fmt.Sprintf("%-4s BROKEN   %d times; %s%s", r.Name, len(r.Broken), r.Checked, apart)
	for i, words := range r.Broken {
		if i == shownMost {
			text += fmt.Sprintf("\n                … and %d more", len(r.Broken)-i)
			break
		}
		text += "\n                " + words
	}
	return text
}

func (r *Result) broken(format string, args ...any) {
	r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
}

// invariants are the twenty, each a function of the evidence alone.
var invariants = []func(*account) Result{i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14, i15, i16, i17, i18, i19, i20}

// Judge looks at the evidence and nothing else.
func Judge(e *Evidence) Verdict {
	a := newAccount(e)
	var v Verdict
	for i, judge := range invariants {
		r := judge(a)
		r.Name = fmt.Sprintf("I%d", i+1)
		v.Results = append(v.Results, r)
	}
	return v
}

// account is the evidence put in order: everything by the delivery or message that it is about.
type account struct {
	*Evidence
	deliveries map[uuid.UUID]Delivery
	messages   map[uuid.UUID]Message
	notices    map[uuid.UUID][]Delivery // of a message, by round
	reminders  map[uuid.UUID][]Delivery // the same
	attempts   map[uuid.UUID][]Attempt
	steps      map[uuid.UUID][]Step
	signatures map[uuid.UUID][]Signature
	taken      map[string][]Accepted // by delivery id as the provider had it
	events     map[uuid.UUID][]Event
}

func newAccount(e *Evidence) *account {
	a := &account{Evidence: e, deliveries: map[uuid.UUID]Delivery{}, messages: map[uuid.UUID]Message{}, notices: map[uuid.UUID][]Delivery{}, reminders: map[uuid.UUID][]Delivery{},
		attempts: map[uuid.UUID][]Attempt{}, steps: map[uuid.UUID][]Step{}, signatures: map[uuid.UUID][]Signature{}, taken: map[string][]Accepted{},
		events: map[uuid.UUID][]Event{}}
	for _, m := range e.Messages {
		a.messages[m.ID] = m
	}
	for _, d := range e.Deliveries {
		a.deliveries[d.ID] = d
		switch d.Kind {
		case "notice":
			a.notices[d.MessageID] = append(a.notices[d.MessageID], d)
		case "reminder":
			a.reminders[d.MessageID] = append(a.reminders[d.MessageID], d)
		}
	}
	for _, lists := range []map[uuid.UUID][]Delivery{a.notices, a.reminders} {
		for _, list := range lists {
			slices.SortFunc(list, func(x, y Delivery) int { return cmp.Compare(x.Round, y.Round) })
		}
	}
	for _, one := range e.Attempts {
		a.attempts[one.DeliveryID] = append(a.attempts[one.DeliveryID], one)
	}
	for _, s := range e.Steps {
		a.steps[s.DeliveryID] = append(a.steps[s.DeliveryID], s)
	}
	for _, s := range e.Signatures {
		a.signatures[s.MessageID] = append(a.signatures[s.MessageID], s)
	}
	for _, list := range a.signatures {
		slices.SortFunc(list, func(x, y Signature) int { return x.Committed.Compare(y.Committed) })
	}
	for _, one := range e.Accepted {
		a.taken[one.Delivery] = append(a.taken[one.Delivery], one)
	}
	for _, v := range e.Events {
		if v.DeliveryID != nil {
			a.events[*v.DeliveryID] = append(a.events[*v.DeliveryID], v)
		}
	}
	return a
}

// sends is how often providers took a delivery.
func (a *account) sends(d Delivery) int { return len(a.taken[d.ID.String()]) }
