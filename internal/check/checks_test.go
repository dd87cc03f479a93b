package check

import (
	"strings"
	"testing"
	"time"
)

// names of the checks that found something, at or above a level.
func trips(s Subject, level Level) map[string]bool {
	found := map[string]bool{}
	for _, f := range Run(s).Findings {
		if f.Level >= level {
			found[f.Check] = true
		}
	}
	return found
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		c1, c2 bool
	}{
		{"Dear [Patient Name], rest.", true, false}, {"Dear {{name}}, rest.", true, false}, {"Dear <name>, rest.", true, false},
		{"Take XXX mg.", true, false}, {"Come on ____.", true, false}, {"Dose: TBD.", true, false}, {"Dear [[P1]],", true, false},
		{"Come XX/XX.", true, false}, {"Insert dose here.", true, false}, {"Your result ??? is in.", true, false},
		{"As an AI, I can say this.", false, true}, {"Here is a draft for you.", false, true}, {"Here’s the revised message:", false, true},
		{"Based on the provided information, rest.", false, true}, {"```\nRest.\n```", false, true}, {"# Result\nRest.", false, true},
		{"**Rest** today.", false, true}, {"Sure! Dear Ann,", false, true}, {"Let me know if you would like any changes.", false, true},
		{"Subject: your test", false, true}, {"<<<BRIEF-00ff", false, true}, {"Reading level: grade 6", false, true},
		{"The provided information says so.", false, true}, {"According to the brief, rest.", false, true},
		{"Keep it below 130 and rest.", false, false}, {"If it is < 130 and > 90, rest.", false, false}, {"Are you well?", false, false},
		{"Here is what to do next.", false, false}, {"Let me know if you have questions.", false, false}, {"Sure, you may drive.", false, false},
		{"Your message made sense (thank you).", false, false}, {"Drink 2 * 3 cups.", false, false}, {"Bring the draft form.", false, false},
		{"Here is your plan for the week.", false, false}, {"Thank you for the information you gave us.", false, false},
	} {
		got := trips(Subject{Text: c.text}, Block)
		if got["C1"] != c.c1 || got["C2"] != c.c2 {
			t.Errorf("%q: C1 %v C2 %v, want %v %v", c.text, got["C1"], got["C2"], c.c1, c.c2)
		}
	}
}

func TestOtherPatients(t *testing.T) {
	t.Parallel()
	other := Identity{Names: []string{"Robert Ellison-Ward"}, BirthDates: []time.Time{time.Date(1961, 4, 9, 0, 0, 0, 0, time.UTC)},
		MRNs: []string{"RC-204511"}, Phones: []string{"+15550101234"}, Emails: []string{"rob@mail.example"}}
	wife := Identity{Names: []string{"Ana Alvarez"}, Phones: []string{"+15550107777"}}
	odd := Identity{Names: []string{"Will May"}}
	me := Identity{Names: []string{"María Alvarez"}, Phones: []string{"(555) 010-7777"}, BirthDates: []time.Time{time.Date(1955, 3, 2, 0, 0, 0, 0, time.UTC)}}
	for _, c := range []struct {
		text string
		want bool
	}{
		{"Dear Robert, rest.", true}, {"Dear Robert,\nrest.", true}, {"Robert Ellison-Ward should rest.", true}, {"Mr. Ward's pills", true},
		{"Ward, Robert", true}, {"Born 4/9/1961.", true}, {"Born April 9, 1961.", true}, {"MRN rc 204511", true}, {"Call 555.010.1234", true},
		{"Write to Rob@Mail.example.", true}, {"Ana Alvarez", true},
		{"Dear Maria, rest.", false}, {"Dear Mrs Alvarez,", false}, {"Go to the ward.", false}, {"Call 555-010-7777.", false},
		{"Robert is your nurse.", false}, {"You will may be go.", false}, {"Born March 2, 1955.", false}, {"MRN 1204511", false},
	} {
		s := Subject{Text: c.text, Patient: me, Others: []Identity{other, wife, odd}}
		if got := trips(s, Block)["C3"]; got != c.want {
			t.Errorf("%q: C3 %v, want %v", c.text, got, c.want)
		}
	}
}

func TestAssurance(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"This is nothing to worry about.": true, "You will be fine.": true, "It is 100% safe.": true, "It’s completely safe.": true,
		"I guarantee it works.": true, "There are no side effects.": true, "This will definitely help.": true, "Don’t worry.": true, "You'll be just fine.": true,
		"There is no need to be fasting.": false, "Always take it with food.": false, "Never take two at once.": false,
		"We cannot guarantee it.": false, "If you are not completely fine, call.": false, "Your result is normal.": false,
		"It is fine to eat.": false, "We do not think it is completely safe.": false, "You are doing well.": false,
	} {
		if got := trips(Subject{Text: text}, Confirm)["C12"]; got != want {
			t.Errorf("%q: C12 %v, want %v", text, got, want)
		}
	}
}

func TestEscalation(t *testing.T) {
	t.Parallel()
	brief := Brief{Inquiry: "Has chest pain since the morning."}
	for text, want := range map[string]bool{
		"Rest today.": true, "Call 911 now.": false, "Go to the nearest emergency room.": false, "You do not need to call 911.": true,
		"There is no need to go to the emergency room.": true, "Do not wait. Call an ambulance.": false, "Call us right away.": false,
		"Do not drive yourself. Call 911.": false, "Don't wait, but call 911.": false, "Please call the front desk to book.": true,
	} {
		if got := trips(Subject{Text: text, Brief: brief}, Confirm)["C10"]; got != want {
			t.Errorf("%q: C10 %v, want %v", text, got, want)
		}
	}
	if trips(Subject{Text: "Rest today.", Brief: Brief{Inquiry: "Asks about a form."}}, Info)["C10"] {
		t.Error("C10 without a red flag")
	}
}

func TestMissingParts(t *testing.T) {
	t.Parallel()
	full := "Dear Ana,\nPlease take one pill a day. Call us if you feel worse."
	count := func(s Subject) int {
		n := 0
		for _, f := range Run(s).Findings {
			if f.Check == "C17" {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		s    Subject
		want int
	}{
		{Subject{Text: full, SignOff: "Dr Amara Osei, cardiology"}, 0}, {Subject{Text: full}, 1}, {Subject{Text: full + "\nKind regards,\nDr Osei"}, 0},
		{Subject{Text: "The result is in.", SignOff: "Dr Osei"}, 3}, {Subject{Text: "The result is in."}, 4},
		{Subject{Text: "Your visit moved. Please call 555-010-0199.", SignOff: "Tom", Brief: Brief{Kind: "administrative"}}, 0},
		{Subject{Text: "Your visit moved. Please call our office.", SignOff: "Tom"}, 1},
	} {
		if got := count(c.s); got != c.want {
			t.Errorf("%q (%q): %d parts missing, want %d", c.s.Text, c.s.SignOff, got, c.want)
		}
	}
}

func TestReadability(t *testing.T) {
	t.Parallel()
	hard := "Subsequent to comprehensive laboratory evaluation, pharmacological intervention utilizing antihypertensive medication is recommended in accordance with contemporary cardiovascular guidelines."
	easy := "Your test is back. It is normal. Keep your pills the same. Call us if you feel worse."
	if !trips(Subject{Text: hard}, Confirm)["C14"] || trips(Subject{Text: easy}, Info)["C14"] {
		t.Error("C14 does not tell hard from easy")
	}
	if trips(Subject{Text: hard, Settings: Settings{Language: "es"}}, Info)["C14"] {
		t.Error("an English formula judged another language")
	}
	var offered []string
	for _, f := range Run(Subject{Text: hard}).Findings {
		offered = append(offered, f.Suggest...)
	}
	if !strings.Contains(strings.Join(offered, ","), "blood pressure medicine") {
		t.Errorf("no plain word offered: %v", offered)
	}
	r := Run(Subject{Text: easy})
	if r.Words != 18 || len(r.Sentences) != 4 || r.LongestSentence != 6 {
		t.Errorf("%d words, %d sentences, longest %d", r.Words, len(r.Sentences), r.LongestSentence)
	}
}

func TestWordLimit(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("Rest well. ", 30)
	if !trips(Subject{Text: text, Settings: Settings{MaxWords: 59}}, Confirm)["C15"] || trips(Subject{Text: text, Settings: Settings{MaxWords: 60}}, Info)["C15"] {
		t.Error("the limit of words is not kept exactly")
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"Dr. Osei called. She was kind.": 2, "Come at 9 a.m. on Monday. Bring pills.": 2, "Take 0.5 mg. Rest.": 2, "Dear Ana,\n\nRest.\n\nDrink water": 3,
		"See Mr. J. Smith on Nov. 24. OK?": 2, "Is it sore? Call! Now.": 3, "one line\nthat goes on": 1, "": 0, "- Rest\n- Drink": 2, "He said “rest.” Then go.": 2,
		"Foods, e.g. bread, are fine.": 1, "The answer is no. Call us.": 2,
	} {
		if got := len(Run(Subject{Text: text}).Sentences); got != want {
			t.Errorf("%q: %d sentences, want %d", text, got, want)
		}
	}
}

func TestSyllables(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]int{"take": 1, "tablet": 2, "losartan": 3, "medicine": 3, "called": 1, "started": 2, "appointment": 3,
		"pressure": 2, "changes": 2, "doses": 2, "people": 2, "cardiology": 5, "area": 3, "please": 1, "question": 2, "safely": 2, "union": 2,
		"mobile": 2, "table": 2, "cause": 1, "period": 3, "influenza": 4, "value": 2, "actual": 3, "physician": 3, "every": 2, "the": 1} {
		if got := syllableCount(word); got != want {
			t.Errorf("%s: %d syllables, want %d", word, got, want)
		}
	}
}

func TestGrounding(t *testing.T) {
	t.Parallel()
	r := Run(Subject{Text: "Dear Ana,\nTake 50 mg of losartan each day. Your visit is on November 24. The weather is nice.",
		Brief: Brief{Facts: []Fact{{"f1", "drug", "losartan 50 mg daily"}, {"f2", "date", "Tue 24 Nov"}}, Points: []string{"visit in clinic"}}})
	want := []string{"", "f1", "f2", ""}
	for i, s := range r.Sentences {
		if got := strings.Join(s.Facts, " "); got != want[i] {
			t.Errorf("sentence %d rests on %q, want %q", i, got, want[i])
		}
	}
	if !r.Sentences[0].Greeting || len(r.Sentences[2].Points) != 1 {
		t.Errorf("greeting or point missed: %+v", r.Sentences)
	}
}

// A fact whose dose was changed is not in the text, and a reader is not shown that it is; a fact may stand in two sentences.
func TestGroundingNeedsEachNumber(t *testing.T) {
	t.Parallel()
	facts := []Fact{{"f1", "drug", "losartan 50 mg once a day"}, {"f2", "drug", "stop lisinopril 10 mg tonight"}, {"f3", "result", "ferritin 34, hemoglobin 12.1"}}
	for text, want := range map[string]string{
		"Stop lisinopril 10 mg tonight. Start losartan 25 mg once a day.": "f2",
		"Stop lisinopril 20 mg tonight. Start losartan 50 mg once a day.": "f1",
		"Start losartan 50 mcg once a day.":                               "",
		"Your ferritin is 34. Your hemoglobin is 12.1.":                   "f3 f3",
		"Your ferritin is 34, and your hemoglobin is good.":               "",
	} {
		var got []string
		for _, s := range Run(Subject{Text: text, Brief: Brief{Facts: facts}}).Sentences {
			got = append(got, s.Facts...)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: rests on %q, want %q", text, got, want)
		}
	}
}
