package check

import "testing"

func TestRedFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ inquiry, history, want string }{
		{"Chest pain since noon.", "", "chest pain"}, {"She has a tight chest.", "", "chest pain"}, {"Pressure in my chest.", "", "chest pain"},
		{"His face is drooping and speech slurred.", "", "stroke signs"}, {"Weak on the left side.", "", "stroke signs"},
		{"I want to die.", "", "thoughts of suicide or self-harm"}, {"He talks of killing himself.", "", "thoughts of suicide or self-harm"},
		{"Lips and tongue are swelling.", "", "severe allergic reaction"}, {"Can’t pee since last night.", "", "cannot urinate"},
		{"Unable to pass urine.", "", "cannot urinate"}, {"Fever of 101 F.", "on chemotherapy", "fever during chemotherapy or low immunity"},
		{"Short of breath at rest.", "", "trouble breathing"}, {"I can't breathe well.", "", "trouble breathing"}, {"The bleeding won't stop.", "", "severe bleeding"},
		{"Spotting today.", "12 weeks pregnant", "bleeding in pregnancy"}, {"Fell and hit her head.", "takes warfarin", "head injury on a blood thinner"},
		{"She fainted in church.", "", "fainting or collapse"}, {"No fever, but chest pain since noon.", "", "chest pain"},
		{"No relief from the chest pain.", "", "chest pain"}, {"Not sure if this is chest pain.", "", "chest pain"}, {"No fever, chest pain since Monday.", "", "chest pain"},
		{"Chest pain not helped by rest.", "", "chest pain"}, {"What if the chest pain returns?", "", "chest pain"},
		{"No chest pain.", "", ""}, {"She denies chest pain, fainting and fever.", "chemo", ""}, {"Has no chest pain or fainting.", "", ""},
		{"Without fever, chest pain or fainting.", "chemo", ""}, {"Doesn't have chest pain.", "", ""}, {"Chest pain: none.", "", ""},
		{"Fever of 101 F.", "", ""}, {"Fever of 101 F.", "no chemotherapy", ""}, {"Spotting today.", "", ""}, {"Asks about blood pressure.", "pregnant", ""},
		{"Fell and hit her head.", "", ""}, {"Family history of chest pain.", "", ""}, {"Asks for a refill of losartan.", "chest pain 2019", ""},
		{"Wants the blood test result.", "pregnant", ""}, {"Is it fine to fly?", "", ""},
	} {
		got := ""
		b := Brief{Inquiry: c.inquiry, History: c.history}
		for _, f := range RedFlags(b) {
			got = f.Name
			if s := f.Span; s.Start < 0 || s.End > len(b.Inquiry) || s.Start >= s.End || f.Advice == "" || f.Field != "inquiry" {
				t.Errorf("%q: bad flag %+v", c.inquiry, f)
			}
		}
		if got != c.want {
			t.Errorf("%q with %q: %q, want %q", c.inquiry, c.history, got, c.want)
		}
	}
}

func TestWarningsInPointsAreNoRedFlags(t *testing.T) {
	t.Parallel()
	if f := RedFlags(Brief{Points: []string{"Call 911 if there is chest pain", "Watch for chest pain"}}); len(f) > 0 {
		t.Errorf("a warning was read as a sign: %+v", f)
	}
	if f := RedFlags(Brief{Points: []string{"Chest pain needs a visit today"}}); len(f) != 1 {
		t.Errorf("a sign in a point was missed: %+v", f)
	}
	if f := RedFlags(Brief{Facts: []Fact{{"f1", "result", "chest pain on exertion"}}}); len(f) != 1 || f[0].Field != "fact f1" {
		t.Errorf("a sign in a fact was missed: %+v", f)
	}
}

func TestEveryRedFlagRowIsWhole(t *testing.T) {
	t.Parallel()
	if rows, lines := len(flagRules().rules), len(dataLines(redFlagsFile)); rows != lines || rows < 20 {
		t.Errorf("%d rules of %d lines", rows, lines)
	}
	if words, lines := len(plainer().plain), len(dataLines(plainWordsFile)); words != lines || words < 150 {
		t.Errorf("%d plain words of %d lines", words, lines)
	}
	if n := len(easyWords()); n < 2900 {
		t.Errorf("only %d easy words", n)
	}
}
