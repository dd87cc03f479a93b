package clinic_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// otherDoors are public methods that are no person's deed on records, and where each is tested.
var otherDoors = []string{
	"Close", "Ready", "Refused", // the process
	"RelayDue", "DraftProgress", // draft_request_test.go, draft_write_test.go
	"SessionOpen", "SessionFind", "SessionEnd", // session_test.go
	"PageAsk", "PageProve", "PageRead", "PageAcknowledge", "PageStop", // page_test.go
	"MayWatch", "WorklistCount", // below and scope_test.go
	"NetworksInForce", "ReportKeep", // network_test.go, report_test.go
	"JobsTake", "JobRan", "RetentionDue", "ClockFits", // job_test.go, retention_test.go
	"BannersSee",                                                // banner_test.go
	"LedgerSeal", "LedgerVerify", "LedgerProve", "LedgerMonths", // ledger_seal_test.go, ledger_attack_test.go
	"AlertsNow", "AlertNoticesTake", "AlertNoticeSent", // alert_test.go
	"RefusalsClose",                                                                                             // refusal_test.go
	"CallsDue",                                                                                                  // call_test.go
	"DeliveryCount",                                                                                             // delivery_count_test.go
	"FiguresKeep", "FiguresShow", "FiguresOver", "FiguresForget", "UpBeat", "UpAsk", "VitalsKeep", "VitalsShow", // figure_test.go
	"GuardsSee",                    // internal/app/figures_test.go
	"BackupSnapshot", "BackupLast", // backup_test.go
	"InstanceSee", "InstanceTrust", "InstanceDoubt", "InstanceBeat", // instance_test.go
}

func TestEveryPublicMethodIsInATable(t *testing.T) {
	t.Parallel()
	known := slices.Clone(otherDoors)
	for _, x := range append(acts(nil), machineActs(nil)...) {
		known = append(known, x.method)
	}
	methods := reflect.TypeFor[*clinic.Clinic]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; !slices.Contains(known, name) {
			t.Errorf("%s is in no table of deeds_test.go", name)
		}
	}
}

// allowed is SECURITY's table for the deeds of this road, written again by hand.
const allowed = `
session.list      staff reviewer doctor auditor admin ops
session.end-other staff reviewer doctor auditor admin ops
session.end-others staff reviewer doctor auditor admin ops
session.list-all  admin
session.end-any   admin
worklist.show     staff reviewer doctor auditor admin ops
patient.list      staff reviewer doctor
patient.search    staff reviewer doctor
patient.show      staff reviewer doctor
patient.create    staff reviewer doctor
patient.change    staff reviewer doctor
patient.edit      staff reviewer doctor
brief.new         staff reviewer doctor
brief.create      staff reviewer doctor
brief.show        staff reviewer doctor
brief.edit        staff reviewer doctor
draft.show        staff reviewer doctor
draft.request     staff reviewer doctor
draft.by-hand     staff reviewer doctor
draft.edit        staff reviewer doctor
draft.check       staff reviewer doctor
draft.diff        staff reviewer doctor
finding.answer    staff reviewer doctor
review.list       staff reviewer doctor
review.show       staff reviewer doctor
review.submit     staff reviewer doctor
review.recall     staff reviewer doctor
review.return     reviewer doctor
review.approve    reviewer doctor
message.show      staff reviewer doctor
message.undo      staff reviewer doctor
message.withdraw  doctor
message.schedule  staff reviewer doctor
message.retire    worker
delivery.list     staff reviewer doctor
delivery.preview  doctor
delivery.retry    doctor
settings.show     doctor admin
settings.edit     doctor
delivery.claim    worker
delivery.record   worker
delivery.sweep    worker
delivery.reconcile worker operator
delivery.settle   worker operator
delivery.receive  provider
delivery.resend   staff reviewer doctor
delivery.mark-sent staff reviewer doctor
reminder.make     worker
call.list         staff reviewer doctor
call.record       staff reviewer doctor
instance.hold     worker operator
instance.show     operator
delivery.restore  operator
delivery.ask      operator
instance.release  operator
draft.claim       worker
draft.finish      worker
consent.reply     provider
backup.create     operator
backup.restore    operator
keys.show         operator
keys.rotate       operator
audit.archive     operator
clinic.create     operator
clinic.show       admin
clinic.edit       admin
usage.show        admin
prompt.list       admin
job.list          admin ops
job.run           admin
job.nightly       worker
staff.put         operator
network.list      admin operator
network.block     admin
network.allow     admin
network.unblock   admin operator
report.list       admin
staff.list        operator admin
staff.assign      operator admin
staff.disable     operator admin
staff.enable      operator admin
team.list         admin
team.search       admin
team.show         admin
team.join         operator admin
team.leave        operator admin
glass.break       staff reviewer doctor
glass.end         staff reviewer doctor
glass.list        admin
glass.review      admin
security.show     admin
security.edit     admin
status.show       admin ops
alert.list        admin ops
alert.acknowledge admin ops
alert.silence     admin ops
alert.evaluate    worker
breaker.open      admin
breaker.close     admin
queue.view        admin ops
queue.operate     admin
audit.search      auditor admin
audit.show        auditor admin
audit.prove       auditor admin
audit.export      auditor admin
audit.verify      auditor admin
audit.checks      auditor admin
audit.run         worker
audit.of-patient  doctor auditor admin
audit.disclosures doctor auditor admin
access.make       worker
access.list       admin
access.show       admin
access.sign       admin`

func mayRoles(deed clinic.Deed) []string {
	for line := range strings.Lines(allowed) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == string(deed) {
			return f[1:]
		}
	}
	return nil
}

func TestRolesAndDeeds(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	x := things{patient: w.Patient, message: w.Submitted(t, w.Patient, "email"), doctor: w.Doctor.ID, version: 1}
	w.Operator.Role = clinic.RoleOperator
	stranger := clinic.Actor{Kind: clinic.ActorPerson, ID: uuid.Must(uuid.NewV7()), ClinicID: w.ClinicID, Name: "Casey Stranger"}
	mail := mailer
	mail.ClinicID = w.ClinicID
	who := map[string]clinic.Actor{"staff": w.Staff, "reviewer": w.Reviewer, "doctor": w.Doctor, "auditor": w.Auditor, "admin": w.Admin, "ops": w.Ops,
		"worker": worker, "provider": mail, "operator": w.Operator, "no role": stranger, "nobody": nobody}
	for _, act := range append(acts(w), machineActs(w)...) {
		may := mayRoles(act.deed)
		if may == nil {
			t.Errorf("%s is not in the table", act.deed)
		}
		for name, a := range who {
			before := refusals(t, w)
			err := act.do(w.Clinic, a, x)
			byRole := clinic.Code(err) == "role" || clinic.Code(err) == "none"
			if slices.Contains(may, name) != !(err != nil && byRole) {
				t.Errorf("%s by %s: %v", act.method, name, err)
			}
			if !byRole || err == nil {
				continue
			}
			if want := map[bool]clinic.Kind{true: clinic.Unauthenticated, false: clinic.Forbidden}[name == "nobody"]; clinic.KindOf(err) != want {
				t.Errorf("%s by %s: kind %d", act.method, name, clinic.KindOf(err))
			}
			if got := refusals(t, w); got != before+1 {
				t.Errorf("%s by %s left %d refusals on the trail", act.method, name, got-before)
			}
		}
	}
}

func TestActorsThatAreNotSignedInCountAndWatchNothing(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := w.Submitted(t, w.Patient, "email")
	for name, a := range map[string]clinic.Actor{"nobody": nobody, "auditor": w.Auditor, "ops": w.Ops, "doctor of another team": w.Doctor2} {
		if n, err := w.Clinic.WorklistCount(ctx, a); n != 0 || err != nil {
			t.Errorf("%s counts %d, %v", name, n, err)
		}
		if mayWatch(t, w, a, id) {
			t.Errorf("%s may watch", name)
		}
	}
	if n, err := w.Clinic.WorklistCount(ctx, w.Doctor); n != 1 || err != nil {
		t.Errorf("the doctor counts %d, %v", n, err)
	}
	if !mayWatch(t, w, w.Staff, id) {
		t.Error("staff may not watch their own message")
	}
}
