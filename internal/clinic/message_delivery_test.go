package clinic_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// However often a notice was tried, the timeline tells it in one line, with the last reason and when it is tried next; what
// follows stands after it.
func TestMessageTimelineTellsAttempts(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "sms")
	for _, code := range []string{"unreachable", "429", "20429"} {
		p := claimed(t, w, message)
		must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeNotSent, code)))
		w.Clock.Add(11 * time.Minute)
	}
	told := func() (titles []string) {
		t.Helper()
		v, err := w.Clinic.MessageShow(ctx, w.Staff, message)
		must(t, err)
		for _, s := range v.Steps {
			if s.Kind == "delivery" || s.Kind == "page" {
				titles = append(titles, s.Title)
			}
		}
		return titles
	}
	w.Clock.Add(-11 * time.Minute)
	if got := told(); !slices.Equal(got, []string{"Notice queued", "Tried 3 times, nothing was sent", "Next try", "Delivered", "Opened by the patient"}) {
		t.Errorf("the timeline reads %q", got)
	}
	v, err := w.Clinic.MessageShow(ctx, w.Staff, message)
	must(t, err)
	d, steps := v.Deliveries[0], v.Steps
	if d.Attempt != 3 || d.NextAt == nil || d.Until == nil || d.Round != 1 || !strings.Contains(d.Words, "slow down") {
		t.Errorf("the notice: %+v", d)
	}
	i := slices.IndexFunc(steps, func(s clinic.Step) bool { return strings.HasPrefix(s.Title, "Tried") })
	if steps[i].Level != "now" || !strings.Contains(steps[i].Detail.Reveal(), "slow down") || !steps[i+1].At.Equal(*d.NextAt) || steps[i+1].Level != "todo" {
		t.Errorf("the steps: %+v", steps[i:])
	}
	w.Clock.Add(11 * time.Minute)
	p := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "SM4"}))
	if got := told(); !slices.Equal(got, []string{"Notice queued", "Tried 3 times, nothing was sent", "Hand-over to the provider", "Accepted by the provider", "Delivered", "Opened by the patient"}) {
		t.Errorf("sent, it reads %q", got)
	}
}

// Rounds are told one after the other, each with its own attempts and who let it go.
func TestMessageTimelineTellsRounds(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, first, rev := spent(t, w, "sms", "400")
	w.Clock.Add(time.Minute)
	_, err := w.Clinic.DeliveryRetry(ctx, w.Doctor, first, rev)
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, message), "twilio", outcome(clinic.OutcomeNotSent, "dns")))
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	var told []string
	for _, s := range v.Steps {
		if s.Kind == "delivery" && s.Level != "todo" {
			told = append(told, strings.TrimSpace(s.Title+" "+s.By))
		}
	}
	if !slices.Equal(told, []string{"Notice queued SMS", "Hand-over to the provider SMS", "The provider refused it; nothing was sent SMS",
		"A further round, by decision of Dr Amara Osei", "Tried once, nothing was sent SMS"}) {
		t.Errorf("the timeline reads %q", told)
	}
	if n := len(v.Deliveries); n != 2 || v.Deliveries[0].CanRetry || v.Deliveries[1].CanRetry || v.Deliveries[1].Round != 2 {
		t.Errorf("the notices: %+v", v.Deliveries)
	}
}

// The relay hands the most urgent on first, also when there is no room for all; the rest follows by its time.
func TestRelayDueUrgentFirst(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	var ids []uuid.UUID
	for _, priority := range []int{1, 0, 3, 2, 3} {
		id := deliveryOf(t, w, w.Approved(t, w.Patient, "sms"))
		must(t, w.Exec(t, "UPDATE deliveries SET priority = $1 WHERE id = $2", priority, id))
		ids = append(ids, id)
		w.Clock.Add(time.Second)
	}
	var got []uuid.UUID
	for range 5 {
		due, err := w.Clinic.RelayDue(ctx, 1)
		must(t, err)
		for _, d := range due {
			got = append(got, d.ID)
		}
	}
	if want := []uuid.UUID{ids[2], ids[4], ids[3], ids[0], ids[1]}; !slices.Equal(got, want) {
		t.Errorf("one by one the relay hands on %v, want %v", got, want)
	}
	w.Clock.Add(2 * time.Minute)
	due, err := w.Clinic.RelayDue(ctx, 3)
	must(t, err)
	if len(due) != 3 || due[0].Priority != 3 || due[1].Priority != 3 || due[2].Priority != 2 {
		t.Errorf("three at once: %+v", due)
	}
}
