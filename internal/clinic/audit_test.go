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

// TestAuditOneEventForADeed walks a road and counts after each deed. A delivery's steps (those with a rev) are counted
// by TestDeliveryTrail.
func TestAuditOneEventForADeed(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	c, a, d := w.Clinic, w.Staff, w.Doctor
	w.UndoWindow(t, 30)
	f := w.Brief(w.Patient, "email")
	f.ID = uuid.Must(uuid.NewV7())
	id := f.ID
	v := func() int { return version(t, w, id) }
	edit := func(text string) error { _, err := c.DraftEdit(ctx, a, id, v(), text); return err }
	for _, step := range []struct {
		deed clinic.Deed
		do   func() error
	}{
		{clinic.PatientCreate, func() error {
			_, err := c.PatientCreate(ctx, a, clinic.PatientForm{Name: "Ada Brook", BirthDate: "1980-02-03", MRN: "5", Language: "en", DoctorID: d.ID})
			return err
		}},
		{clinic.PatientList, func() error { _, err := c.PatientList(ctx, a, ""); return err }},
		{clinic.PatientSearch, func() error { _, err := c.PatientSearch(ctx, a, "rosa", true); return err }},
		{clinic.BriefNew, func() error { _, err := c.BriefNew(ctx, a, w.Patient); return err }},
		{clinic.BriefCreate, func() error { _, err := c.BriefCreate(ctx, a, f); return err }},
		{clinic.BriefEdit, func() error { f.Version = v(); return c.BriefEdit(ctx, a, id, f) }},
		{clinic.BriefShow, func() error { _, err := c.BriefShow(ctx, a, id); return err }},
		{clinic.DraftRequest, func() error { return c.DraftRequest(ctx, a, id, "") }},
		{clinic.DraftByHand, func() error { return c.DraftByHand(ctx, a, id) }},
		{clinic.DraftEdit, func() error { return edit(clinictest.Letter) }},
		{clinic.DraftShow, func() error { _, err := c.DraftShow(ctx, a, id); return err }},
		{clinic.DraftCheck, func() error { _, err := c.DraftCheck(ctx, a, id, "Dear"); return err }},
		{clinic.DraftDiff, func() error { _, err := c.DraftDiff(ctx, a, id, 1, 1); return err }},
		{clinic.ReviewSubmit, func() error { return c.ReviewSubmit(ctx, a, id, v()) }},
		{clinic.ReviewRecall, func() error { return c.ReviewRecall(ctx, a, id, v()) }},
		{clinic.ReviewSubmit, func() error { return c.ReviewSubmit(ctx, a, id, v()) }},
		{clinic.ReviewReturn, func() error { return c.ReviewReturn(ctx, d, id, v(), "Once more, please.") }},
		{clinic.ReviewSubmit, func() error { return c.ReviewSubmit(ctx, a, id, v()) }},
		{clinic.ReviewShow, func() error { _, err := c.ReviewShow(ctx, d, id); return err }},
		{clinic.ReviewList, func() error { _, err := c.ReviewList(ctx, d, ""); return err }},
		{clinic.WorklistShow, func() error { _, err := c.WorklistShow(ctx, d, ""); return err }},
		{"", func() error { w.Answer(t, d, id); return nil }},
		{clinic.ReviewApprove, func() error { return c.ReviewApprove(ctx, d, id, v(), nil) }},
		{clinic.MessageShow, func() error { _, err := c.MessageShow(ctx, d, id); return err }},
		{clinic.MessageUndo, func() error { return c.MessageUndo(ctx, d, id, v()) }},
		{clinic.MessageWithdraw, func() error { return c.MessageWithdraw(ctx, d, id, v()) }},
		{clinic.SettingsShow, func() error { _, err := c.SettingsShow(ctx, d, d.ID); return err }},
		{clinic.ConsentReply, func() error { return c.ConsentReply(ctx, texter, text("+14155550441", "STOP")) }},
	} {
		before := w.Strings(t, "SELECT id::text FROM audit_events WHERE rev IS NULL")
		must(t, step.do())
		after := w.Strings(t, "SELECT deed || ' ' || outcome FROM audit_events WHERE rev IS NULL AND NOT id::text = ANY($1)", before)
		if want := []string{string(step.deed) + " done"}; step.deed != "" && !slices.Equal(after, want) {
			t.Errorf("%s left %q on the trail", step.deed, after)
		}
	}
	wantCount(t, w, 0, "events without their clinic", "SELECT count(*) FROM audit_events WHERE clinic_id <> $1", w.ClinicID)
	wantCount(t, w, 0, "events about a message without its patient", "SELECT count(*) FROM audit_events WHERE subject_kind = 'message' AND outcome = 'done' AND patient_id IS NULL")
}

func TestAuditViewsAreOneActForAWhile(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	a := w.Staff
	a.SessionID = uuid.Must(uuid.NewV7())
	id := w.Submitted(t, w.Patient, "email")
	seen := func() int {
		return w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'message.show' AND session_id = $1", a.SessionID)
	}
	look := func(a clinic.Actor) {
		t.Helper()
		_, err := w.Clinic.MessageShow(ctx, a, id)
		must(t, err)
	}
	look(a)
	w.Clock.Add(14 * time.Minute)
	look(a)
	if n := seen(); n != 1 {
		t.Fatalf("two looks within 15 minutes are %d acts", n)
	}
	w.Clock.Add(2 * time.Minute)
	look(a)
	if n := seen(); n != 2 {
		t.Fatalf("a look after 16 minutes: %d acts", n)
	}
	a.Live = true
	for range 4 { // the page refreshes itself for three hours
		w.Clock.Add(45 * time.Minute)
		look(a)
	}
	if n := seen(); n != 2 {
		t.Fatalf("a live refresh is no act, the trail has %d", n)
	}
	second := a
	second.SessionID = uuid.Must(uuid.NewV7())
	look(second)
	wantCount(t, w, 1, "another session's look", "SELECT count(*) FROM audit_events WHERE deed = 'message.show' AND session_id = $1", second.SessionID)
}

// rec is what the ledger will hash: it says what the columns say, field by field.
func TestAuditRecIsTheRow(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	a := w.Staff
	a.SessionID, a.IP, a.Agent, a.RequestID = uuid.Must(uuid.NewV7()), "198.51.100.7", "Browser <1> \"x\" \x00\xff"+strings.Repeat("é", 300), "req-1"
	_, err := w.Clinic.PatientShow(ctx, a, w.Patient)
	must(t, err)
	_, err = w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	wantKind(t, err, clinic.NotFound, "an outsider")
	sent(t, w, "email", "x1")
	wantCount(t, w, 0, "rows whose rec says something else", `SELECT count(*) FROM (SELECT e.*, convert_from(rec, 'UTF8')::jsonb AS r FROM audit_events e) x
		WHERE (r->>'id')::uuid <> id OR (r->>'at')::timestamptz <> at OR (r->>'clinic')::uuid <> clinic_id OR r->>'actor_kind' <> actor_kind
		OR (r->>'actor')::uuid IS DISTINCT FROM actor_id OR r->>'role' <> role OR (r->>'session')::uuid IS DISTINCT FROM session_id OR r->>'deed' <> deed
		OR r->>'subject_kind' <> subject_kind OR (r->>'subject')::uuid IS DISTINCT FROM subject_id OR (r->>'patient')::uuid IS DISTINCT FROM patient_id
		OR r->>'outcome' <> outcome OR r->>'reason' <> reason OR (r->>'rev')::int IS DISTINCT FROM rev OR r->'detail' <> detail
		OR r->>'ip' <> ip OR r->>'agent' <> agent OR r->>'request' <> request_id OR (r->>'v')::int <> 1`)
	wantCount(t, w, 1, "the look, from where it came", "SELECT count(*) FROM audit_events WHERE deed = 'patient.show' AND session_id = $1 AND ip = '198.51.100.7' AND request_id = 'req-1'", a.SessionID)
	wantCount(t, w, 0, "events that the sealer will not see", "SELECT count(*) FROM audit_events e FULL JOIN audit_pending p ON p.event_id = e.id AND p.at = e.at AND p.clinic_id = e.clinic_id WHERE e.id IS NULL OR p.event_id IS NULL")
}

func TestAuditMonths(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Exec(t, "SELECT audit_partitions(now()::date, 4)")) // as each migrate does
	for range 3 {
		_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
		must(t, err)
		got := w.Strings(t, "SELECT tableoid::regclass::text FROM audit_events ORDER BY at DESC, id DESC LIMIT 1")[0]
		if want := "audit_events_" + w.Clock.Now().UTC().Format("2006_01"); got != want {
			t.Errorf("an event of %s lies in %s", w.Clock.Now(), got)
		}
		w.Clock.Add(31 * 24 * time.Hour)
	}
	wantCount(t, w, 0, "events outside every month", "SELECT count(*) FROM audit_events_default")
	w.Clock.Add(3 * 365 * 24 * time.Hour) // nobody ran migrate for years: nothing is lost, and the next migrate still works
	_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	wantCount(t, w, 1, "events outside every month", "SELECT count(*) FROM audit_events_default")
	must(t, w.Exec(t, "SELECT audit_partitions($1::date, 2)", w.Clock.Now()))
}

// What is on the trail and in the consent ledger stays there, for the owner's own role too.
func TestAuditIsAppendOnly(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.ConsentReply(ctx, texter, text("+14155550441", "STOP")))
	tables := append(w.Strings(t, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_events'::regclass"), "audit_events", "consents")
	if len(tables) < 6 {
		t.Fatalf("only %d tables", len(tables))
	}
	month := "audit_events_" + w.Clock.Now().UTC().Format("2006_01")
	for _, table := range tables {
		sqls := []string{"TRUNCATE " + table}
		if table == month || table == "audit_events" || table == "consents" {
			sqls = append(sqls, "DELETE FROM "+table, "UPDATE "+table+" SET clinic_id = gen_random_uuid()")
		}
		for _, sql := range sqls {
			if err := w.Exec(t, sql); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	if w.Count(t, "SELECT count(*) FROM audit_events") == 0 || w.Count(t, "SELECT count(*) FROM consents") != 1 {
		t.Error("rows are gone")
	}
}

// A deed whose event cannot be written has not happened.
func TestAuditFailureFailsTheDeed(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "email")
	must(t, w.Exec(t, `CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$`))
	must(t, w.Exec(t, "CREATE TRIGGER no_audit BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION no_audit()"))
	before := everything(t, w)
	x := things{patient: w.Patient, message: message, doctor: w.Doctor.ID, version: version(t, w, message)}
	for _, act := range acts(w) {
		if err := act.do(w.Clinic, w.Doctor, x); err == nil && act.method != "PatientDoctors" && act.method != "DraftByHand" { // the one is no act, the other had nothing to do
			t.Errorf("%s succeeded without its event", act.method)
		}
	}
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, deliveryOf(t, w, message)); p != nil || err == nil {
		t.Error("a delivery was claimed without its event")
	}
	if _, _, err := w.Clinic.SessionOpen(ctx, nobody, person(w.Doctor), ""); err == nil {
		t.Error("a session was opened without its event")
	}
	if after := everything(t, w); after != before {
		t.Error("something was written all the same")
	}
}
