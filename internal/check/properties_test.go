package check

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// pieces that between them reach every check.
var pieces = []string{"Dear Ana,\n", "Take 50 mg. ", "½", "1 1/2 ", "120/80 ", "[name]", "{{x}}", "<", "**b**", "as an AI ", "chest pain ", "no ", "or ",
	"Nov 24, 2026 ", "11/24 ", "9:30 am ", "+1 (555) 010-0199 ", "٥", "é", "\u202e", "\n\n", "don’t worry ", "one and a half ", "three hundred and ",
	"half of ", "q8h ", "Mr. ", "3.", "°", "100%", "$5", "a week ", "once ", "over ", "bleeding won't stop ", "\xff", "Ana Alvarez ", "-", "to ", "1,000.5 "}

func anyText() *rapid.Generator[string] {
	mixed := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 14).Draw(t, "pieces"), "")
	})
	raw := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) })
	return rapid.OneOf(mixed, rapid.String(), raw)
}

func anySubject(t *rapid.T) Subject {
	born := time.Date(1961, 4, 9, 0, 0, 0, 0, time.UTC)
	return Subject{Text: anyText().Draw(t, "text"), SignOff: anyText().Draw(t, "sign-off"), Now: monday,
		Brief:   Brief{Inquiry: anyText().Draw(t, "inquiry"), Points: []string{anyText().Draw(t, "point")}, Facts: []Fact{{"f1", "drug", anyText().Draw(t, "fact")}}},
		Patient: Identity{Names: []string{anyText().Draw(t, "name")}},
		Others:  []Identity{{Names: []string{"Ana Alvarez", anyText().Draw(t, "other")}, BirthDates: []time.Time{born}, MRNs: []string{"AB-12345"}, Phones: []string{"5550100199"}, Emails: []string{"a@b.example"}}}}
}

func TestRunHoldsOnAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anySubject(t)
		r := Run(s)
		inText := func(start, end int) {
			if start < 0 || end > len(s.Text) || start >= end {
				t.Fatalf("span %d-%d of %d bytes", start, end, len(s.Text))
			}
			if utf8.ValidString(s.Text) && !(utf8.ValidString(s.Text[:start]) && utf8.ValidString(s.Text[start:end])) {
				t.Fatalf("span %d-%d splits a rune", start, end)
			}
		}
		for _, f := range r.Findings {
			if f.Key == "" || f.Check == "" || f.Title == "" {
				t.Fatalf("half a finding: %+v", f)
			}
			for _, sp := range f.Spans {
				inText(sp.Start, sp.End)
			}
		}
		for _, sentence := range r.Sentences {
			inText(sentence.Start, sentence.End)
		}
		if again := Run(s); !reflect.DeepEqual(r, again) {
			t.Fatalf("another report the second time")
		}
		if r.Ran != len(rules()) || r.Grade < 0 || r.Words < 0 {
			t.Fatalf("ran %d, grade %v, words %d", r.Ran, r.Grade, r.Words)
		}
	})
}

func TestAnyNewNumberIsAskedAbout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sample := rapid.SampledFrom(clean).Draw(t, "pair")
		words := strings.SplitAfter(sample.text, " ")
		at := rapid.IntRange(0, len(words)).Draw(t, "at")
		n := rapid.IntRange(3001, 8999).Draw(t, "number")
		unit := rapid.SampledFrom([]string{"", " mg", " mL", " tablets", " weeks", "%", " units"}).Draw(t, "unit")
		inserted := fmt.Sprintf("%d%s ", n, unit)
		s := sample.subject()
		s.Text = strings.Join(words[:at], "") + inserted + strings.Join(words[at:], "")
		for _, f := range Run(s).Findings {
			for _, span := range f.Spans {
				if f.Check == "C4" && strings.Contains(s.Text[span.Start:span.End], fmt.Sprint(n)) {
					return
				}
			}
		}
		t.Fatalf("%q was let through in %q", inserted, s.Text)
	})
}

func TestANewNumberIsSeenAmongAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := fmt.Sprint(rapid.IntRange(3001, 8999).Draw(t, "number"))
		text := anyText().Draw(t, "before") + " ; " + n + " mg ; " + anyText().Draw(t, "after")
		for _, f := range Run(Subject{Text: text, Now: monday}).Findings {
			for _, span := range f.Spans {
				if f.Check == "C4" && strings.Contains(text[span.Start:span.End], n) {
					return
				}
			}
		}
		t.Fatalf("%s was let through in %q", n, text)
	})
}

func TestAcknowledgingSigns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := Run(anySubject(t))
		acks := map[string]bool{}
		for _, f := range r.Unanswered(nil) {
			acks[f.Key] = true
		}
		if len(r.Unanswered(acks)) != 0 || r.Signable(acks) != (len(r.Blocking()) == 0) {
			t.Fatalf("acknowledged and still open: %+v", r.Unanswered(acks))
		}
	})
}

func TestNeedsDoctor(t *testing.T) {
	t.Parallel()
	asked := Report{Findings: []Finding{{Check: "C4", Level: Confirm}}}
	shown := Report{Findings: []Finding{{Check: "C5", Level: Info}, {Check: "C17", Level: Confirm}}}
	for _, c := range []struct {
		kind string
		b    Brief
		r    Report
		want bool
	}{
		{"clinical", Brief{}, Report{}, true}, {"", Brief{}, Report{}, true}, {"administrative", Brief{}, Report{}, false},
		{"administrative", Brief{Facts: []Fact{{ID: "f1"}}}, Report{}, true}, {"administrative", Brief{}, asked, true}, {"administrative", Brief{}, shown, false},
	} {
		if got := NeedsDoctor(c.kind, c.b, c.r); got != c.want {
			t.Errorf("%s %+v: %v", c.kind, c.r, got)
		}
	}
}

func TestLevelNames(t *testing.T) {
	t.Parallel()
	if Info.String() != "info" || Confirm.String() != "ask" || Block.String() != "stop" {
		t.Error("the screens' class names have changed")
	}
}

func BenchmarkRun(b *testing.B) {
	s := clean[0].subject()
	for len(strings.Fields(s.Text)) < 150 {
		s.Text += " " + clean[1].text
	}
	for i := range 100 {
		s.Others = append(s.Others, Identity{Names: []string{fmt.Sprintf("Given%d Family%d", i, i)}, MRNs: []string{fmt.Sprintf("RC-%06d", i)},
			Phones: []string{fmt.Sprintf("+1555010%04d", i)}, BirthDates: []time.Time{monday}, Emails: []string{"x@y.example"}})
	}
	b.ReportAllocs()
	for b.Loop() {
		Run(s)
	}
}
