package clinic_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/alert"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// forge makes n forged reports, as the web puts them on the trail.
func forge(w *clinictest.World, n int) {
	for range n {
		w.Clinic.Refused(ctx, nobody, clinic.DeliveryReceive, "signature")
	}
}

func alerts(t *testing.T, w *clinictest.World) clinic.AlertPage {
	t.Helper()
	p, err := w.Clinic.AlertList(ctx, w.Ops, "")
	must(t, err)
	return p
}

func notices(t *testing.T, w *clinictest.World) string {
	t.Helper()
	return strings.Join(w.Strings(t, "SELECT kind FROM alert_notices WHERE way = 'email' ORDER BY made_at, id"), " ")
}

// An alert fires over the one threshold and is over under the other, after as many minutes in a row as its rule says; a look
// in between changes nothing.
func TestAlertHysteresis(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	rule, _ := alert.Of("webhook_forged")
	forge(w, int(rule.Fire)-1)
	if done := evaluate(t, w, 3); done.Fired != 0 {
		t.Fatal("it fires under its threshold")
	}
	forge(w, 1)
	if done := evaluate(t, w, 1); done.Fired != 1 || done.Firing != 1 {
		t.Fatalf("it does not fire: %+v", done)
	}
	w.Clock.Add(11 * time.Minute) // the first ones are old, some are not
	forge(w, int(rule.Clear)+1)
	if done := evaluate(t, w, 10); done.Cleared != 0 || done.Fired != 0 || done.Firing != 1 {
		t.Fatalf("between the thresholds: %+v", done)
	}
	w.Clock.Add(15 * time.Minute)
	if done := evaluate(t, w, rule.Until-1); done.Cleared != 0 {
		t.Fatal("it is over too early")
	}
	if done := evaluate(t, w, 1); done.Cleared != 1 || done.Firing != 0 {
		t.Fatalf("it is not over: %+v", done)
	}
	if got := notices(t, w); got != "fired cleared" {
		t.Errorf("people were told: %q", got)
	}
	p := alerts(t, w)
	if len(p.Firing) != 0 || len(p.Past) != 1 || p.Past[0].State() != "cleared" || p.Past[0].Worst != "10" || !p.Past[0].Everywhere {
		t.Errorf("the list: %+v", p)
	}
	wantCount(t, w, 2, "events", "SELECT count(*) FROM audit_events WHERE deed = 'alert.evaluate'")
}

// What nobody acknowledges is told again; what somebody is at, or has silenced, is not. A silence outlives its alert, ends by
// itself, and can be ended.
func TestAlertAcknowledgeAndSilence(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	hold(t, w, 7)
	evaluate(t, w, 1)
	w.Clock.Add(4 * time.Hour)
	evaluate(t, w, 2)
	if got := notices(t, w); got != "fired repeated" {
		t.Fatalf("people were told: %q", got)
	}
	one := alerts(t, w).Firing[0]
	if waiting, tile := banners(t, w, w.Ops).Alerts, atHome(t, w, w.Ops)["Alerts firing"]; waiting != 1 || tile.Value != "1" || tile.Level != "stop" || tile.Note != one.Rule.Title {
		t.Fatalf("%d wait, %+v", waiting, tile)
	}
	if banners(t, w, w.Doctor).Alerts != 0 {
		t.Error("a doctor is told of alerts")
	}
	must(t, w.Clinic.AlertAcknowledge(ctx, w.Ops, one.ID, one.Rev, "  Asked the\n host. "))
	wantCode(t, w.Clinic.AlertAcknowledge(ctx, w.Admin, one.ID, one.Rev, ""), "moved_on", "a second one")
	w.Clock.Add(5 * time.Hour)
	evaluate(t, w, 1)
	one = alerts(t, w).Firing[0]
	if one.State() != "acknowledged" || one.AckBy != "Kenji Watts" || !strings.Contains(one.Note, "Asked the") || notices(t, w) != "fired repeated" {
		t.Errorf("acknowledged: %+v, told %q", one, notices(t, w))
	}
	wantKind(t, w.Clinic.AlertSilence(ctx, w.Ops, one.ID, one.Rev, time.Minute), clinic.Invalid, "a silence of a minute")
	wantCode(t, w.Clinic.AlertSilence(ctx, w.Ops, one.ID, one.Rev-1, time.Hour), "moved_on", "by who saw an older one")
	must(t, w.Clinic.AlertSilence(ctx, w.Ops, one.ID, one.Rev, 8*time.Hour))
	if waiting, tile := banners(t, w, w.Ops).Alerts, atHome(t, w, w.Ops)["Alerts firing"]; waiting != 0 || tile.Value != "1" || tile.Level != "ask" || alerts(t, w).Firing[0].State() != "silenced" {
		t.Errorf("%d wait, %+v", waiting, tile)
	}
	release(t, w)
	evaluate(t, w, 1)
	hold(t, w, 99)
	evaluate(t, w, 1)
	if got := notices(t, w); got != "fired repeated cleared" {
		t.Errorf("it came again while silenced, and people were told: %q", got)
	}
	one = alerts(t, w).Firing[0]
	if one.State() != "silenced" {
		t.Fatalf("it is %s", one.State())
	}
	must(t, w.Clinic.AlertSilence(ctx, w.Admin, one.ID, one.Rev, 0))
	evaluate(t, w, 1)
	if got := notices(t, w); got != "fired repeated cleared fired" {
		t.Errorf("the silence was ended, and people were told: %q", got)
	}
	for deed, n := range map[clinic.Deed]int{clinic.AlertAcknowledge: 1, clinic.AlertSilence: 2} {
		wantCount(t, w, n, string(deed), "SELECT count(*) FROM audit_events WHERE deed = $1 AND outcome = 'done' AND actor_id IS NOT NULL", deed)
	}
}

func release(t *testing.T, w *clinictest.World) {
	t.Helper()
	_, err := w.Clinic.InstanceRelease(ctx, w.Operator, w.Clock.Now(), nil)
	must(t, err)
}

// An alert of one clinic is not there for another; the installation's are there for all.
func TestAlertsOfClinics(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	alertCauses["glass_used"](t, w)
	hold(t, w, 7)
	evaluate(t, w, 1)
	ours, theirs := alerts(t, w), alerts(t, n)
	if len(ours.Firing) != 2 || len(theirs.Firing) != 1 || theirs.Firing[0].Rule.Name != "sending_stopped" {
		t.Fatalf("%d and %d alerts", len(ours.Firing), len(theirs.Firing))
	}
	for _, one := range ours.Firing {
		if one.Rule.Name == "glass_used" {
			wantKind(t, w.Clinic.AlertAcknowledge(ctx, n.Ops, one.ID, one.Rev, ""), clinic.NotFound, "next door's alert")
			wantKind(t, w.Clinic.AlertSilence(ctx, n.Ops, one.ID, one.Rev, time.Hour), clinic.NotFound, "next door's alert")
		}
	}
	must(t, w.Clinic.AlertAcknowledge(ctx, n.Ops, theirs.Firing[0].ID, theirs.Firing[0].Rev, ""))
}

// Of eight workers that evaluate at the same moment one does it; the next round is a minute later, whoever does it; a clock
// that was an hour ahead does not keep the others from it.
func TestAlertLeader(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	hold(t, w, 7)
	for range 3 {
		w.Clock.Add(time.Minute)
		led := make([]bool, 8)
		for _, err := range together(8, func(i int) error {
			done, err := w.Clinic.AlertEvaluate(ctx, worker, round)
			led[i] = done.Led
			return err
		}) {
			must(t, err)
		}
		if n := len(slices.DeleteFunc(led, func(one bool) bool { return !one })); n != 1 {
			t.Fatalf("%d of eight evaluated", n)
		}
	}
	w.Clock.Add(59 * time.Second)
	if done, err := w.Clinic.AlertEvaluate(ctx, worker, round); err != nil || done.Led {
		t.Errorf("a round before its time: %+v, %v", done, err)
	}
	must(t, w.Exec(t, "UPDATE alert_round SET at = at + interval '1 hour'"))
	evaluate(t, w, 1)
	wantCount(t, w, 1, "alerts", "SELECT count(*) FROM alerts")
	wantCount(t, w, 3, "notices", "SELECT count(*) FROM alert_notices")
}

// What is left out is not evaluated, and what fired of it is over.
func TestAlertOff(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	hold(t, w, 7)
	evaluate(t, w, 1)
	off := round
	off.Off = []string{"sending_stopped"}
	for range 2 {
		w.Clock.Add(time.Minute)
		_, err := w.Clinic.AlertEvaluate(ctx, worker, off)
		must(t, err)
	}
	if got := firing(t, w); len(got) != 0 {
		t.Errorf("there fires %v", got)
	}
}

// A notice is lent to one sender at a time; who dies with it loses nothing; what does not go is tried again, ever more seldom,
// for a day.
func TestAlertNotices(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	hold(t, w, 7)
	evaluate(t, w, 1)
	take := func(want int, what string) []clinic.AlertNotice {
		t.Helper()
		got, err := w.Clinic.AlertNoticesTake(ctx)
		must(t, err)
		if len(got) != want {
			t.Fatalf("%s: %d notices, want %d", what, len(got), want)
		}
		return got
	}
	lost := take(3, "at once")
	take(0, "while somebody has them")
	w.Clock.Add(time.Minute)
	again := take(3, "after the sender died")
	if again[0].ID == "" || !slices.ContainsFunc(lost, func(n clinic.AlertNotice) bool { return n.ID == again[0].ID && n.Way == again[0].Way }) {
		t.Error("the same notice has another id")
	}
	must(t, w.Clinic.AlertNoticeSent(ctx, lost[0], "")) // the dead one wakes up, and has no say any more
	for _, n := range again[1:] {
		must(t, w.Clinic.AlertNoticeSent(ctx, n, ""))
	}
	must(t, w.Clinic.AlertNoticeSent(ctx, again[0], "http_500"))
	tries := 0
	for end := w.Clock.Now().Add(25 * time.Hour); w.Clock.Now().Before(end); w.Clock.Add(10 * time.Minute) {
		got, err := w.Clinic.AlertNoticesTake(ctx)
		must(t, err)
		for _, n := range got {
			tries++
			must(t, w.Clinic.AlertNoticeSent(ctx, n, "http_500"))
		}
	}
	if tries < 100 || tries > 150 {
		t.Errorf("tried %d times in a day", tries)
	}
	take(0, "after it was given up")
	wantCount(t, w, 1, "given up, with its code", "SELECT count(*) FROM alert_notices WHERE sent_at IS NULL AND code = 'http_500'")
	told := alerts(t, w).Firing[0].Told
	if len(told) != 3 || !slices.ContainsFunc(told, func(one clinic.AlertTold) bool { return one.Unsent == 1 && one.Code == "http_500" }) {
		t.Errorf("the page says of the notices: %+v", told)
	}
}

// The list says when nobody has evaluated anything for a while, and turns its pages.
func TestAlertList(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	if p := alerts(t, w); !p.Late || p.Evaluated != nil {
		t.Errorf("nobody evaluates, and the page says %+v", p)
	}
	for range 31 {
		hold(t, w, 1<<40)
		evaluate(t, w, 1)
		release(t, w)
		evaluate(t, w, 1)
	}
	first := alerts(t, w)
	if first.Late || len(first.Past) != 30 || first.Next == "" {
		t.Fatalf("late: %v, %d rows", first.Late, len(first.Past))
	}
	second, err := w.Clinic.AlertList(ctx, w.Ops, first.Next)
	must(t, err)
	if len(second.Past) != 1 || second.Next != "" || second.Past[0].ID == uuid.Nil || second.Past[0].ID == first.Past[29].ID {
		t.Errorf("the second page has %d rows", len(second.Past))
	}
	w.Clock.Add(4 * time.Minute)
	if !alerts(t, w).Late {
		t.Error("nobody evaluates any more, and the page believes the list")
	}
}

// A backup that is made ends the alert that there is no fresh one.
func TestAlertOfBackupEnds(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Clock.Add(27 * time.Hour)
	evaluate(t, w, 3)
	if _, ok := firing(t, w)["backup_age"]; !ok {
		t.Fatal("nobody misses the backup")
	}
	must(t, w.Clinic.BackupCreate(ctx, w.Operator, backupOf(w), func(context.Context) error { return nil }))
	evaluate(t, w, 1)
	if got := firing(t, w); len(got) != 0 {
		t.Errorf("there is a backup, and there fires %v", got)
	}
}
