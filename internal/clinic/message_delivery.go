package clinic

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// deliveryStep is what the trail says of one change of a delivery's state.
type deliveryStep struct {
	From, To, Code string
	Round          int
}

// byReminder is what a step of a reminder went by.
const byReminder = "reminder by "

// deliverySteps reads the states that the notices went through from the trail itself. Attempts that sent nothing are told as
// one step with their number, however many there were: the provider may have been away for days.
func (t *tx) deliverySteps(ctx context.Context, v *MessageView) error {
	ids := make([]uuid.UUID, len(v.Deliveries))
	channel, reminders := map[uuid.UUID]string{}, map[uuid.UUID]bool{}
	for i, d := range v.Deliveries {
		ids[i], channel[d.ID] = d.ID, map[string]string{"email": "e-mail", "sms": "SMS"}[d.Channel]
		if d.Reminder {
			channel[d.ID] = byReminder + channel[d.ID]
			reminders[d.ID] = true
		}
	}
	rows, err := t.DeliverySteps(ctx, db.DeliveryStepsParams{ClinicID: t.clinicID(), Ids: ids, Since: v.Message.createdAt.Add(-24 * time.Hour)})
	if err != nil {
		return err
	}
	told := map[uuid.UUID][]Step{}
	tries := map[uuid.UUID]int{}
	for _, r := range rows {
		var d deliveryStep
		if err := json.Unmarshal(r.Detail, &d); err != nil {
			return err
		}
		if r.SubjectID == nil {
			continue
		}
		id := *r.SubjectID
		steps := told[id]
		if d.From == "sending" && d.To == "queued" {
			if n := len(steps); n > 0 && steps[n-1].State == "sending" {
				steps = steps[:n-1]
			}
			if n := len(steps); tries[id] > 0 && n > 0 && steps[n-1].State == "queued" {
				steps = steps[:n-1]
			}
			tries[id]++
			told[id] = append(steps, triedStep(r.At, channel[id], tries[id], d.Code))
			continue
		}
		if d.To != "sending" {
			tries[id] = 0
		}
		s := toldStep(r, d, channel[id])
		if title := ofReminder(reminderKind, s.Title); reminders[id] && title != s.Title { // the title says it already
			s.Title, s.By = title, strings.TrimPrefix(s.By, byReminder)
		}
		told[id] = append(steps, s)
	}
	for _, id := range ids {
		for _, s := range told[id] {
			v.step(s)
		}
	}
	return nil
}

func triedStep(at time.Time, by string, n int, code string) Step {
	title := "Tried once, nothing was sent"
	if n > 1 {
		title = fmt.Sprintf("Tried %d times, nothing was sent", n)
	}
	return Step{At: at, Title: title, By: by, Detail: Text(codeWords(code)), Kind: "delivery", State: "queued"}
}

func toldStep(r db.DeliveryStepsRow, d deliveryStep, by string) Step {
	s := Step{At: r.At, Title: stepTitle(d.To), By: by, Kind: "delivery", State: d.To}
	if d.To == "queued" && d.Round > 1 {
		s.Title = fmt.Sprintf("Notice queued, round %d", d.Round)
	}
	if d.Code != "" && deliveryLevel(d.To) == "stop" || d.To == "queued" && d.Code != "" {
		s.Detail = Text(codeWords(d.Code))
	}
	if after := afterAllWords(d.From, d.To); after != "" {
		s.Detail = Text(strings.TrimSpace(after + " " + s.Detail.Reveal()))
	}
	if deliveryLevel(d.To) == "stop" {
		s.Level = "stop"
	}
	if title := decisionTitle(Deed(r.Deed)); title != "" {
		s.Title, s.By = title, r.Person
	}
	if d.To == "opened" || d.To == "acknowledged" {
		s.Kind, s.By = "page", "the patient"
	}
	return s
}

// deliveryNext is what a signed message still waits for.
func (v *MessageView) deliveryNext(todo func(title, kind string)) {
	last := v.lastNotice()
	if last.NextAt != nil {
		title := "Goes out"
		if last.Attempt > 0 {
			title = "Next try"
		}
		todo(title, "delivery")
		v.Steps[len(v.Steps)-1].At = *last.NextAt
	}
	if deliveryLevel(last.State) == "live" {
		todo("Delivered", "delivery")
	}
	if v.OpenedAt == nil && deliveryLevel(last.State) != "stop" {
		todo("Opened by the patient", "page")
	}
	if v.Call != nil && v.Call.CallAt != nil {
		todo("A call to the patient", "call")
	}
}

// lastNotice is the last round of the message's notice.
func (v *MessageView) lastNotice() (last DeliveryView) {
	for _, d := range v.Deliveries {
		if !d.Reminder {
			last = d
		}
	}
	return last
}

// untried: nothing stands in the way of another time for the notice.
func (v *MessageView) untried() bool {
	if v.Message.Status != "approved" {
		return true
	}
	last := v.lastNotice()
	return last.State == "queued" && last.Attempt == 0 && !last.Again
}

// scheduleTitle tells a change of the time, on the clinic's clock.
func scheduleTitle(detail []byte, zone string) string {
	var d struct {
		SendAt string `json:"send_at"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return "Another time to go out"
	}
	at, err := time.Parse(time.RFC3339, d.SendAt)
	if err != nil { // there is none
		return "To go out as soon as it may"
	}
	return "To go out not before " + at.In(zoneOf(db.Clinic{TimeZone: zone})).Format("Mon 2 Jan, 15:04")
}
