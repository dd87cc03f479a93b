package clinic_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// steps are deeds of machines whose doing is on the trail under the names of what they do, and which.
var steps = map[clinic.Deed]string{
	clinic.DeliverySend:      "the task: delivery.claim, delivery.record",
	clinic.DraftWrite:        "the task: draft.claim, draft.finish",
	clinic.AuditArchive:      "the schema's owner alone: internal/app, TestAuditArchive",
	clinic.DeliveryReconcile: "hands out what is to be asked about; what was found is delivery.settle",
}

// Every task of the worker, and every command of an operator, leaves its deed on the trail. The deeds are read from the
// source: a new one that nothing here does fails, as does one that leaves no event.
func TestEveryMachinesDeedIsOnTheTrail(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	machinesAtWork(t, w)
	aWeekLater(t, w)
	evaluate(t, w, 3) // there is no backup
	restored(t, w)
	inTheOffice(t, w)
	must(t, w.Clinic.ConsentReply(ctx, texter, text("+14155550441", "STOP")))
	over := w.Approved(t, w.Patient, "email")
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, over, version(t, w, over)))
	keep(t, w, 1)
	w.Clock.Add(400 * 24 * time.Hour)
	retired(t, w)
	kept := w.Strings(t, "SELECT DISTINCT deed FROM audit_events WHERE outcome = 'done' AND actor_kind IN ('worker', 'operator', 'provider')")
	source, err := os.ReadFile("deed.go")
	must(t, err)
	looked := 0
	for _, m := range regexp.MustCompile(`Deed = "([a-z.-]+)"`).FindAllStringSubmatch(string(source), -1) {
		deed, machine := clinic.Deed(m[1]), false
		for _, role := range []clinic.Role{clinic.RoleWorker, clinic.RoleOperator, clinic.RoleProvider} {
			machine = machine || (clinic.Actor{Role: role}).Can(deed)
		}
		if !machine {
			continue
		}
		looked++
		if on := slices.Contains(kept, m[1]); on == (steps[deed] != "") {
			t.Errorf("%s: on the trail %v, excused by %q", deed, on, steps[deed])
		}
	}
	if looked < 25 {
		t.Errorf("only %d deeds were understood", looked)
	}
}

// machinesAtWork is a draft that the model writes, a notice that is sent and reported on, one that is lost and found, and one
// whose worker died.
func machinesAtWork(t *testing.T, w *clinictest.World) {
	t.Helper()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
	must(t, w.Clinic.DraftFinish(ctx, worker, assigned(t, w, w.Dues()[len(w.Dues())-1].ID), answered(letterSentences...)))
	sent(t, w, "email", "x1")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e1", "x1", "delivered", w.Clock.Now())}))
	claimed(t, w, w.Approved(t, w.Patient, "sms"))
	w.Clock.Add(10 * time.Minute)
	_, err = w.Clinic.DeliverySweep(ctx, worker)
	must(t, err)
	night(t, w, true)
	rows, err := w.Clinic.DeliveryReconcile(ctx, worker, 10)
	must(t, err)
	for _, u := range rows {
		must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundAccepted, Provider: "twilio", ProviderID: "SM1", State: "delivered"}))
	}
}

// aWeekLater is the access review that is due by then, and a verification that somebody asks for.
func aWeekLater(t *testing.T, w *clinictest.World) {
	t.Helper()
	w.Clock.Add(8 * 24 * time.Hour)
	_, err := w.Clinic.AccessMake(ctx, worker)
	must(t, err)
	_, err = w.Clinic.ReminderMake(ctx, worker, 10) // nobody has opened what was sent
	must(t, err)
	_, err = w.Clinic.AuditVerify(ctx, w.Auditor)
	must(t, err)
	_, err = w.Clinic.AuditRun(ctx, worker, nil)
	must(t, err)
}

// restored is a database that came back from a backup, until sending is allowed again.
func restored(t *testing.T, w *clinictest.World) {
	t.Helper()
	since := w.Clock.Now()
	lost(t, w)
	w.Approved(t, w.Patient, "email")
	w.Clock.Add(time.Second)
	hold(t, w, 9)
	for _, do := range []func() error{
		func() error { return w.Clinic.BackupRestore(ctx, w.Operator, backupOf(w)) },
		func() error { _, err := w.Clinic.InstanceShow(ctx, w.Operator, since); return err },
		func() error { _, err := w.Clinic.DeliveryRestore(ctx, w.Operator, since, 10); return err },
		func() error { _, err := w.Clinic.DeliveryAsk(ctx, w.Operator, since); return err },
		func() error { _, err := w.Clinic.InstanceRelease(ctx, w.Operator, since, anchored); return err },
	} {
		must(t, do())
	}
}

// inTheOffice is what an operator does by command.
func inTheOffice(t *testing.T, w *clinictest.World) {
	t.Helper()
	op, spare := w.Operator, w.Staff2.ID
	must(t, w.Clinic.NetworkBlock(ctx, w.Admin, clinic.NetworkForm{What: "198.51.100.0/24", Reason: "probing", Lasts: time.Hour}))
	entry := uuid.MustParse(w.Strings(t, "SELECT id::text FROM networks")[0])
	for _, do := range []func() error{
		func() error { _, err := w.Clinic.KeysShow(ctx, op); return err },
		func() error {
			return w.Clinic.BackupCreate(ctx, op, backupOf(w), func(context.Context) error { return nil })
		},
		func() error { _, err := w.Clinic.KeysRotate(ctx, op, clinic.KeysTurned{}, false); return err },
		func() error { _, err := w.Clinic.NetworkList(ctx, op); return err },
		func() error { return w.Clinic.NetworkUnblock(ctx, op, entry, "", false) },
		func() error { _, err := w.Clinic.StaffList(ctx, op); return err },
		func() error { return w.Clinic.StaffAssign(ctx, op, spare, clinic.Reviewer) },
		func() error { return w.Clinic.StaffDisable(ctx, op, spare) },
		func() error { return w.Clinic.StaffEnable(ctx, op, spare) },
		func() error { return w.Clinic.TeamJoin(ctx, op, w.Patient, w.Doctor2.ID) },
		func() error { return w.Clinic.TeamLeave(ctx, op, w.Patient, w.Doctor2.ID) },
	} {
		must(t, do())
	}
}
