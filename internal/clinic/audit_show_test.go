package clinic_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/ledger"
)

func sealTrail(t *testing.T, w *clinictest.World) {
	t.Helper()
	_, err := w.Clinic.LedgerSeal(ctx)
	must(t, err)
}

func eventOf(t *testing.T, w *clinictest.World, deed clinic.Deed) uuid.UUID {
	t.Helper()
	return uuid.MustParse(w.Strings(t, "SELECT id::text FROM audit_events WHERE deed = $1 ORDER BY at DESC, id DESC LIMIT 1", string(deed))[0])
}

// An event is shown with its proof, which anybody can check with the verifier key alone; before it is sealed it says that it
// waits, and when it was tampered with, that it cannot be proved.
func TestAuditShow(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	w := clinictest.New(t, clinictest.Sealing(key, known))
	_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	id := eventOf(t, w, clinic.PatientShow)
	e, err := w.Clinic.AuditShow(ctx, w.Auditor, id)
	if must(t, err); !e.Waits || e.Late || e.Proof != nil {
		t.Errorf("before it is sealed: %+v", e)
	}
	_, _, err = w.Clinic.AuditProve(ctx, w.Auditor, id)
	wantCode(t, err, "not_sealed", "a proof of what is not sealed")
	w.Clock.Add(2 * time.Minute)
	if e, err = w.Clinic.AuditShow(ctx, w.Auditor, id); err != nil || !e.Late {
		t.Errorf("after two minutes it is not late: %v", err)
	}
	sealTrail(t, w)
	e, err = w.Clinic.AuditShow(ctx, w.Auditor, id)
	if must(t, err); e.Proof == nil || e.Who != "Tom Reyes" || e.PatientID != w.Patient || !strings.HasPrefix(e.Signer, "countersign-") || e.Patient != "" {
		t.Errorf("sealed: %+v", e)
	}
	file, leaf, err := w.Clinic.AuditProve(ctx, w.Auditor, id)
	must(t, err)
	proof, err := ledger.ReadProof(file)
	must(t, err)
	if _, err := proof.Check(known); err != nil || proof.Leaf != leaf || !strings.Contains(string(proof.Bytes), id.String()) {
		t.Errorf("the file does not prove it: %v", err)
	}
	must(t, w.Exec(t, "WITH off AS (SELECT set_config('session_replication_role', 'replica', true) AS x) UPDATE audit_events SET rec = rec || 'x' FROM off WHERE id = $1", id))
	if e, err = w.Clinic.AuditShow(ctx, w.Auditor, id); err != nil || e.Proof != nil || e.Unproved == "" {
		t.Errorf("an event that was changed is shown as proved: %v", err)
	}
	near := w.Neighbour(t)
	_, err = near.Clinic.AuditShow(ctx, near.Admin, id)
	wantKind(t, err, clinic.NotFound, "next door")
	wantCount(t, w, 2, "the asking for a proof on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'audit.prove' AND outcome = 'done' AND subject_id = $1 AND actor_id = $2", id, w.Auditor.ID)
}

// Who asks for a verification gets one by a worker, with the anchors from outside; what it finds is kept, and both are acts.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	w := clinictest.New(t, clinictest.Sealing(key, known))
	done, err := w.Clinic.LedgerSeal(ctx)
	must(t, err)
	anchors := func(context.Context) ([]clinic.Anchor, error) {
		return []clinic.Anchor{{Name: "one", Note: done.Head.Note}}, nil
	}
	check := func(want string) clinic.LedgerCheckup {
		t.Helper()
		id, err := w.Clinic.AuditVerify(ctx, w.Auditor)
		must(t, err)
		if again, err := w.Clinic.AuditVerify(ctx, w.Admin); err != nil || again != id {
			t.Errorf("who asks meanwhile gets another one: %v", err)
		}
		if ran, err := w.Clinic.AuditRun(ctx, worker, anchors); !ran || err != nil {
			t.Fatalf("no worker took it up: %v", err)
		}
		all, err := w.Clinic.AuditChecks(ctx, w.Auditor)
		must(t, err)
		if all[0].ID != id || all[0].Outcome != want || !all[0].Finished || all[0].By != "Victor Sandoval" {
			t.Errorf("%+v", all[0])
		}
		return all[0]
	}
	if got := check("clean"); got.Report.Anchored != done.Head.Size || got.Report.Root == "" {
		t.Errorf("clean: %+v", got.Report)
	}
	if ran, err := w.Clinic.AuditRun(ctx, worker, anchors); ran || err != nil {
		t.Errorf("there is nothing more to do: %v", err)
	}
	victim := eventOf(t, w, clinic.PatientCreate)
	must(t, w.Exec(t, "WITH off AS (SELECT set_config('session_replication_role', 'replica', true) AS x) UPDATE audit_events SET rec = rec || 'x' FROM off WHERE id = $1", victim))
	w.Clock.Add(time.Second)
	if got := check("tampered"); len(got.Report.Findings) == 0 || *got.Report.Findings[0].Event != victim {
		t.Errorf("tampered: %+v", got.Report)
	}
	wantCount(t, w, 2, "verifications on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'audit.run' AND actor_kind = 'worker' AND detail->>'outcome' IN ('clean', 'tampered')")
	near := w.Neighbour(t)
	if all, err := near.Clinic.AuditChecks(ctx, near.Admin); err != nil || len(all) != 0 {
		t.Errorf("next door reads %d of them, %v", len(all), err)
	}
	away := func(context.Context) ([]clinic.Anchor, error) { return nil, context.DeadlineExceeded }
	_, err = w.Clinic.AuditVerify(ctx, w.Auditor)
	must(t, err)
	_, err = w.Clinic.AuditRun(ctx, worker, away)
	must(t, err)
	if all, err := w.Clinic.AuditChecks(ctx, w.Auditor); err != nil || all[0].Outcome != "failed" || all[0].Code != "anchors_away" {
		t.Errorf("without its anchors: %v", err)
	}
}

// A worker that is lost over a verification is followed by another when its lease is over.
func TestAuditVerifyIsTakenOver(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	w := clinictest.New(t, clinictest.Sealing(key, known))
	sealTrail(t, w)
	_, err := w.Clinic.AuditVerify(ctx, w.Auditor)
	must(t, err)
	lost, stop := context.WithCancel(ctx)
	ran, err := w.Clinic.AuditRun(lost, worker, func(context.Context) ([]clinic.Anchor, error) { stop(); return nil, nil })
	if ran || err != nil {
		t.Fatalf("a worker that stops has run it: %v", err)
	}
	if ran, err = w.Clinic.AuditRun(ctx, worker, nil); ran || err != nil {
		t.Errorf("taken over before the lease is over: %v", err)
	}
	w.Clock.Add(3 * time.Minute)
	if ran, err = w.Clinic.AuditRun(ctx, worker, nil); !ran || err != nil {
		t.Errorf("not taken over: %v", err)
	}
	if all, err := w.Clinic.AuditChecks(ctx, w.Auditor); err != nil || all[0].Outcome != "clean" {
		t.Errorf("%+v %v", all, err)
	}
}

// What a worker finds after another has taken its verification over counts not, and is on no trail.
func TestAuditVerifyIsFenced(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	w := clinictest.New(t, clinictest.Sealing(key, known))
	sealTrail(t, w)
	_, err := w.Clinic.AuditVerify(ctx, w.Auditor)
	must(t, err)
	_, err = w.Clinic.AuditRun(ctx, worker, func(context.Context) ([]clinic.Anchor, error) {
		w.Clock.Add(3 * time.Minute)
		if ran, err := w.Clinic.AuditRun(ctx, worker, nil); !ran || err != nil {
			t.Errorf("not taken over: %v", err)
		}
		return []clinic.Anchor{{Name: "forged", Note: "x"}}, nil
	})
	must(t, err)
	if all, err := w.Clinic.AuditChecks(ctx, w.Auditor); err != nil || all[0].Outcome != "clean" {
		t.Errorf("the late one is believed: %+v %v", all, err)
	}
	wantCount(t, w, 1, "verifications on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'audit.run'")
}

// A doctor is told who has seen their own patients, an auditor and an administrator of any; break-glass is said.
func TestAuditOfPatient(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	_, err = w.Clinic.GlassBreak(ctx, w.Doctor2, clinic.GlassForm{MRN: "20441", Reason: "Collapsed in the waiting room."})
	must(t, err)
	_, err = w.Clinic.AuditOfPatient(ctx, w.Doctor2, w.Patient, "")
	wantKind(t, err, clinic.NotFound, "another team's doctor, by break-glass too")
	for name, a := range map[string]clinic.Actor{"Rosa Delgado": w.Doctor, "": w.Auditor} {
		seen, err := w.Clinic.AuditOfPatient(ctx, a, w.Patient, "")
		must(t, err)
		if seen.Name.Reveal() != name {
			t.Errorf("%s reads the name %q", a.Name, seen.Name.Reveal())
		}
		who := map[string]clinic.AuditViewer{}
		for _, v := range seen.Viewers {
			who[v.Name] = v
		}
		if v := who["Dr Jonas Lindqvist"]; !v.ByGlass || v.OnTeam {
			t.Errorf("the one who broke the glass: %+v", v)
		}
		if v := who["Tom Reyes"]; v.ByGlass || !v.OnTeam || v.Times < 1 {
			t.Errorf("the one of the team: %+v", v)
		}
	}
	near := w.Neighbour(t)
	for _, a := range []clinic.Actor{near.Admin, near.Auditor} {
		_, err = near.Clinic.AuditOfPatient(ctx, a, w.Patient, "")
		wantKind(t, err, clinic.NotFound, "next door")
		_, err = near.Clinic.AuditDisclosures(ctx, a, w.Patient)
		wantKind(t, err, clinic.NotFound, "next door")
	}
}

// The accounting of disclosures says when, to whom, what and why; a notice is one entry, however often it was heard of.
func TestAuditDisclosures(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := w.Approved(t, w.Patient, "email")
	delivery := uuid.MustParse(w.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1", id)[0])
	parcel, err := w.Clinic.DeliveryClaim(ctx, worker, delivery)
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, parcel, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x"}))
	all, err := w.Clinic.AuditDisclosures(ctx, w.Doctor, w.Patient)
	must(t, err)
	if len(all.Rows) != 1 || !strings.Contains(all.Rows[0].ToWhom, "by e-mail") || all.Rows[0].What == "" || all.Rows[0].Why == "" || all.Rows[0].At.IsZero() || all.ClinicName != "Riverside Care" {
		t.Errorf("%+v", all)
	}
	_, err = w.Clinic.AuditDisclosures(ctx, w.Doctor2, w.Patient)
	wantKind(t, err, clinic.NotFound, "another team's doctor")
}
