package check

import (
	"testing"
	"time"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// locked says which numbers of a text C4 does not find in the brief.
func locked(text, brief string, allowed ...string) []string {
	var out []string
	s := Subject{Text: text, Brief: Brief{Inquiry: brief}, AllowedNumbers: allowed, Now: monday}
	for _, f := range Run(s).Findings {
		if f.Check == "C4" {
			for _, span := range f.Spans {
				out = append(out, text[span.Start:span.End])
			}
		}
	}
	return out
}

func TestNumberLockAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, brief string }{
		{"Take ½ tablet.", "0.5 tablet"}, {"Take half a tablet.", "1/2 tab"}, {"Take one half tablet.", "½ tablet"},
		{"Take one and a half tablets.", "1.5 tablets"}, {"Take 1 1/2 tablets.", "1½ tablets"}, {"Take .5 mg.", "0.5 mg"},
		{"Take 1,000 mg.", "1000 mg"}, {"Take 1 g.", "1000 mg"}, {"Take 0.05 mg.", "50 mcg"}, {"Take 500mg.", "500 mg"},
		{"Take it for two weeks.", "14 days"}, {"Take it for 7 days.", "one week"}, {"See us in 1 week.", "in a week"},
		{"Take it twice a day.", "BID"}, {"Take it twice a day.", "two times daily"}, {"Take it once a day.", "losartan 50 mg daily"},
		{"Take it every 8 hours.", "q8h"}, {"Take 5 to 7 days off.", "5-7 days"}, {"Take five to seven days off.", "5–7 days"},
		{"Your blood pressure was 130 over 80.", "BP 130/80 mmHg"}, {"It was 130/80.", "130 over 80"},
		{"Come on Tuesday, November 24.", "Tue 24 Nov"}, {"Come on November 24th.", "11/24/2026"}, {"Come on 24 November 2026.", "2026-11-24"},
		{"Come on the 24th.", "Nov 24"}, {"Come at 9.", "9 am"}, {"Come on Tuesday.", "visit 24 Nov"}, {"Come at 9:30 am.", "at 9:30"}, {"Come at 2 pm.", "14:00"},
		{"Come at noon.", "12 pm"}, {"Come at 9 o'clock.", "9 am"}, {"We are open 9-11 am.", "9 am to 11 am"},
		{"Call (555) 010-0199.", "phone 555-010-0199"}, {"Call +1 555 010 0199.", "5550100199"},
		{"Your potassium was 4.1.", "potassium 4.1 mmol/L"}, {"Your A1c was 6.8%.", "A1c 6.8 percent"},
		{"A fever over 100.4 degrees.", "100.4 F"}, {"A fever over 101°F.", "101 F"}, {"Use twenty-five units.", "25 units"},
		{"Drink one hundred and twenty mL.", "120 ml"}, {"One of us will call. This one is fine.", ""}, {"Once you feel well, rest.", ""},
		{"Take vitamin B12 and check A1c.", ""}, {"1. Rest.\n2. Drink water.\n3. Call us.", ""}, {"You may march on.", ""},
		{"Sugar of 110 mg/dL.", "glucose 110 mg/dL"}, {"Take 50 mg/day.", "50 mg daily"}, {"Take 2 pills.", "2 tablets"},
		{"It is $20.", "$20 copay"}, {"In March 2027.", "2027-03-02"}, {"Take ５ mg.", "5 mg"}, {"Take ten mg.", "10 mg"},
		{"Take 2 weeks off.", "2 weeks"}, {"Take it for 3 days.", "40 mg x 3d"}, {"Take it for one week.", "25mg x1wk"}, {"Come at 7:30 a.m.", "12/3 7:30a"}, {"Take 3 or 4 pills.", "3-4 tablets"},
	} {
		if got := locked(c.text, c.brief); len(got) > 0 {
			t.Errorf("%q with brief %q: asked about %q", c.text, c.brief, got)
		}
	}
}

func TestNumberLockAsks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, brief, want string }{
		{"Take 500 mg.", "50 mg", "500 mg"}, {"Take 50 mcg.", "50 mg", "50 mcg"}, {"Take 5.0 mg.", "50 mg", "5.0 mg"},
		{"Take 2 tablets.", "2 puffs", "2 tablets"}, {"Take two tablets.", "1 tablet", "two tablets"}, {"Take half a tablet.", "1 tablet", "half a tablet"},
		{"Take it for 10 days.", "7 days", "10 days"}, {"Take it twice a day.", "daily", "twice"}, {"Take it three times a day.", "BID", "three times"},
		{"Come on November 25.", "Nov 24", "November 25"}, {"Come on Nov 24, 2027.", "Nov 24, 2026", "Nov 24, 2027"},
		{"Come on Friday.", "Tue 24 Nov", "Friday"}, {"Come at 10 am.", "9 am", "10 am"}, {"Come at 9 pm.", "9 am", "9 pm"},
		{"Call 555-010-0198.", "555-010-0199", "555-010-0198"}, {"It was 140/80.", "130/80", "140/80"}, {"In 3 months.", "3 weeks", "3 months"},
		{"Take 7.", "", "7"}, {"Call 911.", "", "911"}, {"Take ½ pill.", "1 pill", "½ pill"}, {"Take ٥ mg.", "4 mg", "٥ mg"},
		{"Take 12 pills.", "1. two pills", "12 pills"}, {"At noon.", "9 am", "noon"}, {"Room 0.0.00 61 pills.", "0.0 0", "61 pills"}, {"Take 9 a day.", "9 am", "9"}, {"Go in April.", "May 3", "April"},
	} {
		got := locked(c.text, c.brief)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%q with brief %q: asked about %q, want %q", c.text, c.brief, got, c.want)
		}
	}
	if got := locked("Call 911 or 555-0199.", "", "911", "555-0199"); got != nil {
		t.Errorf("allowed numbers were asked about: %q", got)
	}
}

func TestNumberLockOffersTheBriefsDose(t *testing.T) {
	t.Parallel()
	r := Run(Subject{Text: "Take 500 mg.", Brief: Brief{Facts: []Fact{{"f1", "drug", "losartan 50 mg daily"}}}})
	for _, f := range r.Findings {
		if f.Check == "C4" && len(f.Suggest) == 1 && f.Suggest[0] == "50 mg" {
			return
		}
	}
	t.Errorf("50 mg was not offered: %+v", r.Findings)
}

func TestAcknowledgedNumberExcusesNoOther(t *testing.T) {
	t.Parallel()
	keys := func(text string) map[string]bool {
		all := map[string]bool{}
		for _, f := range Run(Subject{Text: text}).Findings {
			if f.Check == "C4" {
				all[f.Key] = true
			}
		}
		return all
	}
	one, moved, same := keys("Walk 7 blocks."), keys("Eat 7 apples."), keys("Please walk 7 blocks now.")
	for k := range one {
		if moved[k] {
			t.Error("the same key for another 7")
		}
		if !same[k] {
			t.Error("another key for the same 7")
		}
	}
}
