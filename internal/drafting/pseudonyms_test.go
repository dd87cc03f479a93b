package drafting

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"countersign/internal/check"
)

func ana() check.Identity {
	return check.Identity{Names: []string{"Ana María O'Brien-Solís", "Annie"}, BirthDates: []time.Time{time.Date(1955, 3, 2, 0, 0, 0, 0, time.UTC)},
		MRNs: []string{"RC-204511"}, Phones: []string{"+1 (555) 010-7777"}, Emails: []string{"ana.obrien@mail.example"}}
}

const home = "42 Elm Hollow Road, Millbrook, OH 44017"

func TestInHides(t *testing.T) {
	t.Parallel()
	p := newPseudonyms(ana(), home)
	for _, c := range []struct{ text, want string }{
		{"Ana María O'Brien-Solís called.", "[[P1]] called."}, {"ana called.", "[[P2]] called."}, {"ANA’s pills", "[[P3]]’s pills"},
		{"Mrs. Obrien asks", "Mrs. [[P4]] asks"}, {"Ana Maria", "[[P5]] [[P6]]"}, {"Annual visit in Anatolia", "Annual visit in Anatolia"},
		{"Call 555-010-7777.", "Call [[PHONE1]]."}, {"at 5 5 5 . 0107777 now", "at [[PHONE2]] now"}, {"Call 415-555-0134.", "Call [[PHONE3]]."},
		{"010-7777", "[[PHONE4]]"}, {"Ana.OBrien@Mail.example ok", "[[EMAIL1]] ok"}, {"x@y.example", "[[EMAIL2]]"},
		{"MRN rc204511", "MRN [[MRN1]]"}, {"(RC 204511)", "([[MRN2]])"}, {"MRN: 88-1234567", "MRN: [[MRN3]]"},
		{"born March 2, 1955.", "born [[DOB1]]."}, {"3/2/55", "[[DOB2]]"}, {"DOB 7/8/1990", "DOB [[DOB3]]"}, {"1955-03-02", "[[DOB4]]"},
		{"lives at 42 elm hollow road", "lives at [[ADDR1]]"}, {"in Millbrook", "in [[ADDR2]]"}, {"at 9 Oak Street today", "at [[ADDR3]] today"},
		{"[[P1]] and [[ZZ9]]", "[[TXT1]] and [[TXT2]]"}, {"Take 50 mg on Nov 24 at 9:30.", "Take 50 mg on Nov 24 at 9:30."},
		{"BP 130/80, potassium 4.1, 1,000 mg, INR 3.4", "BP 130/80, potassium 4.1, 1,000 mg, INR 3.4"}, {"Call 911", "Call 911"},
	} {
		got := p.In(c.text)
		if got != c.want {
			t.Errorf("%q became %q, want %q", c.text, got, c.want)
		}
		if back := p.Out(got); back != c.text {
			t.Errorf("%q came back as %q", c.text, back)
		}
	}
}

func TestGrammarWordsStay(t *testing.T) {
	t.Parallel()
	p := newPseudonyms(check.Identity{Names: []string{"Will May"}}, "")
	for text, want := range map[string]string{"You may rest and will heal.": "You may rest and will heal.", "will may called": "[[P2]] called"} {
		if got := p.In(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := p.In("Will asks"); !strings.HasPrefix(got, "[[P") {
		t.Errorf("a name was let out: %q", got)
	}
}

func TestNothingPrintsTheMap(t *testing.T) {
	t.Parallel()
	prompt, err := Build(Input{Patient: ana(), Marker: "0123456789abcdef", Brief: check.Brief{Inquiry: "Ana called"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{prompt, &prompt, prompt.Names, &prompt.Names, struct{ p Pseudonyms }{prompt.Names}, Draft{Sentences: []Sentence{{Text: "Ana"}}}, []Prompt{prompt}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "Ana") || strings.Contains(s, "416e61") {
				t.Errorf("%T with %s shows %q", v, verb, s)
			}
		}
	}
	encoded, _ := json.Marshal(prompt.Names)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "names", prompt.Names)
	if strings.Contains(string(encoded)+log.String(), "Ana") {
		t.Error("encoded or logged")
	}
}

// anyCase writes a text in some mixture of cases.
func anyCase(t *rapid.T, s string) string {
	return strings.Map(func(r rune) rune {
		switch rapid.IntRange(0, 2).Draw(t, "case") {
		case 0:
			return unicode.ToUpper(r)
		case 1:
			return unicode.ToLower(r)
		}
		return r
	}, s)
}

// punctuated writes digits with anything between them.
func punctuated(t *rapid.T, digits string) string {
	var b strings.Builder
	for _, d := range digits {
		b.WriteRune(d)
		b.WriteString(rapid.SampledFrom([]string{"", "", "", "-", ".", " ", " - ", ") ", "/", "–", " . "}).Draw(t, "gap"))
	}
	return b.String()
}

func word26(t *rapid.T, label string) string {
	return rapid.StringMatching(`[A-Z][a-z]{4,9}q`).Draw(t, label)
}

func TestInAndOutIsTheIdentityAndNothingKnownGoesOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		given, family := word26(t, "given"), word26(t, "family")
		digits := rapid.StringMatching(`[2-9][0-9]{9}`).Draw(t, "phone")
		record := rapid.StringMatching(`[A-Z]{2}-[0-9]{6}`).Draw(t, "mrn")
		birth := time.Date(rapid.IntRange(1920, 2019).Draw(t, "y"), time.Month(rapid.IntRange(1, 12).Draw(t, "m")), rapid.IntRange(1, 28).Draw(t, "d"), 0, 0, 0, 0, time.UTC)
		mail := strings.ToLower(given) + "@mail.example"
		layout := rapid.SampledFrom([]string{"2006-01-02", "1/2/2006", "02.01.2006", "January 2, 2006", "2 Jan 2006", "Jan. 2 2006", "20060102"}).Draw(t, "layout")
		who := check.Identity{Names: []string{given + " " + family}, Phones: []string{digits}, MRNs: []string{record}, BirthDates: []time.Time{birth}, Emails: []string{mail}}
		pieces := []string{anyCase(t, given), anyCase(t, family), anyCase(t, given+" "+family), family + ", " + given, punctuated(t, digits), anyCase(t, record),
			strings.ReplaceAll(record, "-", " "), birth.Format(layout), anyCase(t, mail), rapid.String().Draw(t, "noise"), "[[P1]]", "[[", "]]", "x", "50 mg"}
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), rapid.SampledFrom([]string{" ", ", ", "\n", "; "}).Draw(t, "between"))
		p := newPseudonyms(who, "")
		masked := p.In(text)
		if back := p.Out(masked); back != text {
			t.Fatalf("%q came back as %q", text, back)
		}
		prompt, err := Build(Input{Patient: who, Marker: "00112233aabbccdd", Instruction: text[:min(len(text), 100)], Settings: Settings{Specialty: text, Tone: text},
			Brief: check.Brief{Inquiry: text, Points: []string{text}, Facts: []check.Fact{{ID: "f1", Kind: "drug", Text: text}}, Summary: text, History: text, Medications: text, Allergies: text, Notes: text}})
		if err != nil {
			t.Fatal(err)
		}
		sent := strings.ToLower(prompt.Settings + "\n" + prompt.Brief)
		bare := strings.ToLower(only(sent, alnum))
		for _, secret := range []string{given, family, mail} {
			if strings.Contains(sent, strings.ToLower(secret)) {
				t.Fatalf("%q is in %q", secret, sent)
			}
		}
		for _, secret := range []string{digits, only(record, alnum)} {
			if strings.Contains(bare, strings.ToLower(secret)) {
				t.Fatalf("%q is in %q", secret, sent)
			}
		}
		if strings.Contains(sent, strings.ToLower(birth.Format(layout))) {
			t.Fatalf("the birth date is in %q", sent)
		}
	})
}
