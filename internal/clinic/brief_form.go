package clinic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/check"
)

// FactForm is one chip of a brief as typed. Kinds: drug, result, date, instruction, allergy.
type FactForm struct{ Kind, Text string }

// FactKinds in the order the form offers them.
var FactKinds = []string{"drug", "result", "date", "instruction", "allergy"}

// BriefForm is what staff write. ID is the message's, made by the empty form, so that a double click creates once.
type BriefForm struct {
	ID        uuid.UUID
	PatientID uuid.UUID
	DoctorID  uuid.UUID
	Inquiry   string
	Points    []string
	Facts     []FactForm
	Priority  string
	Kind      string
	Channel   string
	SendAt    string // not before, as ScheduleForm has it; empty is as soon as it is signed
	Version   int
	sendAt    *time.Time
}

func (f BriefForm) checked(page BriefPage, now time.Time) (BriefForm, error) {
	var v form
	f.Inquiry = v.text("inquiry", "What the patient asked or what happened", f.Inquiry, 1, 10_000)
	points := []string{}
	for _, p := range f.Points {
		if p = v.text("points", "A point", strings.TrimLeft(tidy(p), "-•* "), 0, 500); p != "" {
			points = append(points, p)
		}
	}
	if len(points) == 0 {
		v.bad("points", "Please write at least one thing to say to the patient.")
	}
	if len(points) > 20 {
		v.bad("points", "Twenty points are the most one message can carry.")
	}
	facts := []FactForm{}
	for _, fact := range f.Facts {
		if fact.Text = v.text("facts", "A fact", fact.Text, 0, 200); fact.Text != "" {
			fact.Kind = v.oneOf("facts", "what kind of fact this is", fact.Kind, FactKinds...)
			facts = append(facts, fact)
		}
	}
	if len(facts) > 30 {
		v.bad("facts", "Thirty facts are the most one message can carry.")
	}
	f.Points, f.Facts = points, facts
	f.Priority = v.oneOf("priority", "how urgent it is", f.Priority, "normal", "low", "high", "urgent")
	f.Kind = v.oneOf("kind", "what kind of message it is", f.Kind, "clinical", "administrative")
	f.Channel = v.oneOf("channel", "how to reach the patient", f.Channel, "email", "sms")
	if !channelOn(page.clinic, f.Channel) {
		v.bad("channel", channelOff(f.Channel))
	}
	f.sendAt = v.moment("send_at", f.SendAt, page.zone, now)
	if f.sendAt != nil && !page.Later {
		v.bad("send_at", laterOff)
	}
	return f, v.err()
}

func (f BriefForm) body() briefBody {
	body := briefBody{Inquiry: f.Inquiry, Points: f.Points}
	for i, fact := range f.Facts {
		body.Facts = append(body.Facts, check.Fact{ID: fmt.Sprintf("f%d", i+1), Kind: fact.Kind, Text: fact.Text})
	}
	return body
}

func priorityOf(s string) int {
	if i := slices.Index(Priorities, s); i >= 0 {
		return i
	}
	return 1
}

func (f BriefForm) doctorOn(page BriefPage) error {
	if slices.ContainsFunc(page.Doctors, func(d Person) bool { return d.ID == f.DoctorID }) {
		return nil
	}
	return invalid(map[string]string{"doctor_id": "Please choose a doctor of this patient's care team."})
}

// raise makes a brief with a red flag urgent, so that nobody has to remember to, and says whether it has one.
func (f *BriefForm) raise(body briefBody, shot briefSnapshot) bool {
	flagged := len(check.RedFlags(body.brief(shot, f.Kind, f.Priority, f.Channel))) > 0
	if flagged {
		f.Priority = "urgent"
	}
	return flagged
}
