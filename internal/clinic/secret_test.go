package clinic_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// mark stands in every field that a person of the clinic or a patient can fill. It is found nowhere but under seal.
const mark = "Zqxmark"

// markedRoad takes a message whose every field is marked as far as it goes, and returns what was said on the way.
func markedRoad(t *testing.T, w *clinictest.World) string {
	t.Helper()
	var said strings.Builder
	hear := func(err error) {
		if err != nil {
			fmt.Fprintf(&said, "%v %+v %s %v", err, err, clinic.Sentence(err), clinic.Fields(err))
		}
	}
	c := w.Clinic
	patient, err := c.PatientCreate(ctx, w.Staff, clinic.PatientForm{Name: mark + " Family" + mark, BirthDate: "1967-05-30", MRN: mark + "1", Summary: mark, History: mark,
		Medications: mark, Allergies: mark, Notes: mark, Language: "en", DoctorID: w.Doctor.ID, Email: mark + "@mail.example", Phone: "+14155557391"})
	must(t, err)
	f := w.Brief(patient, "email")
	f.Inquiry, f.Points, f.Facts = mark+" coughs", []string{"Tell " + mark}, []clinic.FactForm{{Kind: "drug", Text: mark + " 5 mg"}}
	id, err := c.BriefCreate(ctx, w.Staff, f)
	must(t, err)
	must(t, c.DraftRequest(ctx, w.Staff, id, mark+" please"))
	as, err := c.DraftClaim(ctx, worker, w.Dues()[0].ID)
	must(t, err)
	hear(c.DraftFinish(ctx, worker, as, clinic.Answer{Raw: mark, Code: mark + " is not a code", Model: "model of " + mark, Retry: true}))
	must(t, c.DraftByHand(ctx, w.Staff, id))
	_, err = c.DraftEdit(ctx, w.Staff, id, version(t, w, id), mark+" [name] 75 mg")
	must(t, err)
	hear(c.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	_, err = c.DraftEdit(ctx, w.Staff, id, version(t, w, id), "Dear "+mark+" Family"+mark+",\n\nTake 75 mg "+mark+".")
	must(t, err)
	must(t, c.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	must(t, c.ReviewReturn(ctx, w.Doctor, id, version(t, w, id), mark+" must go"))
	must(t, c.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	hear(c.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil))
	w.Answer(t, w.Doctor, id)
	must(t, c.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil))
	_, err = c.PatientSearch(ctx, w.Staff, mark, true)
	must(t, err)
	p := claimed(t, w, id)
	hear(c.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeUnknown, Code: "Dear " + mark}))
	must(t, c.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: "e", DeliveryID: p.DeliveryID, State: "undelivered", Code: "no mailbox " + mark, At: w.Clock.Now()}}))
	_, err = prove(w, tokenOf(p), mark)
	hear(err)
	_, err = prove(w, tokenOf(p), rightDate)
	must(t, err)
	hear(c.MessageUndo(ctx, w.Doctor, id, 1))
	edit := formOf(show(t, w, patient))
	edit.Version, edit.Email = 99, "not "+mark
	hear(c.PatientEdit(ctx, w.Staff, patient, edit))
	edit.Email = ""
	hear(c.PatientEdit(ctx, w.Staff, patient, edit))
	fmt.Fprint(&said, w.Names(), w.Dues())
	fmt.Fprintf(&said, "%v %+v %#v", p, p, p)
	fmt.Fprintf(&said, "%v %+v %#v", as, as, as)
	return said.String()
}

func show(t *testing.T, w *clinictest.World, id [16]byte) clinic.Patient {
	t.Helper()
	p, err := w.Clinic.PatientShow(ctx, w.Staff, id)
	must(t, err)
	return p
}

func TestNoPatientTextOutsideTheSeal(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	said := markedRoad(t, w)
	for _, secret := range []string{mark, "5557391", "1967-05-30"} {
		if i := strings.Index(strings.ToLower(said), strings.ToLower(secret)); i >= 0 {
			t.Errorf("an error, a live name or a printed value says %q: …%s…", secret, said[max(0, i-80):min(len(said), i+80)])
		}
	}
	tables := w.Strings(t, "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")
	if len(tables) < 20 {
		t.Fatalf("only %d tables", len(tables))
	}
	for _, table := range tables {
		for _, secret := range []string{mark, "5557391", "1967-05-30"} {
			plain, raw := "%"+secret+"%", "%"+hex.EncodeToString([]byte(secret))+"%"
			if n := w.Count(t, "SELECT count(*) FROM "+table+" x WHERE x::text ILIKE $1 OR x::text LIKE $2", plain, raw); n > 0 {
				t.Errorf("%d rows of %s hold %q in plain", n, table, secret)
			}
		}
	}
	if w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'page.prove' AND subject_kind = 'page'") != 2 {
		t.Error("the road did not go as far as it should")
	}
}

// mover moves one sealed value of a row to where another one was, has the row read, and puts it back.
type mover struct {
	w       *clinictest.World
	covered map[string]bool
}

func (m mover) try(t *testing.T, table, column, from, key string, id any, read func() error) {
	t.Helper()
	m.covered[table+"."+column] = true
	sql := fmt.Sprintf("UPDATE %[1]s SET %[2]s = (SELECT %[3]s FROM %[1]s o WHERE o.%[4]s <> $1 AND o.%[3]s <> %[1]s.%[2]s LIMIT 1) WHERE %[4]s = $1", table, column, from, key)
	if from != column {
		sql = fmt.Sprintf("UPDATE %[1]s SET %[2]s = %[3]s WHERE %[4]s = $1", table, column, from, key)
	}
	before := m.w.Strings(t, fmt.Sprintf("SELECT encode(%s, 'hex') FROM %s WHERE %s = $1 ORDER BY ctid", column, table, key), id)
	must(t, m.w.Exec(t, sql, id))
	if err := read(); err == nil {
		t.Errorf("%s.%s from %s: the deed goes on", table, column, from)
	} else if k := clinic.KindOf(err); k != clinic.Internal {
		t.Errorf("%s.%s: kind %d, %v", table, column, k, err)
	}
	must(t, m.w.Exec(t, fmt.Sprintf("UPDATE %s SET %s = decode($2, 'hex') WHERE %s = $1", table, column, key), id, before[0]))
}

// glass moves the reason and the note of a break-glass.
func (m mover) glass(t *testing.T) {
	t.Helper()
	w := m.w
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("31313"))))
	ids := w.Strings(t, "SELECT id::text FROM glass ORDER BY id")
	list := func(reviewed bool) func() error {
		return func() error { _, err := w.Clinic.GlassList(ctx, w.Admin, reviewed, ""); return err }
	}
	m.try(t, "glass", "reason_sealed", "reason_sealed", "id", ids[0], list(false))
	must(t, w.Clinic.GlassReview(ctx, w.Admin, uuid.MustParse(ids[0]), "It was an emergency."))
	m.try(t, "glass", "note_sealed", "reason_sealed", "id", ids[0], list(true))
}

// Each sealed value, moved to another row or another column, makes the deed that reads it fail: it never shows as blank.
func TestSealedValuesDoNotMove(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.AddPatient(t, w.Staff, "Uma Field", "1990-04-05", "31313")
	sent(t, w, "email", "x0")
	message := w.Approved(t, w.Patient, "email")
	asked(t, w)
	_, request := asked(t, w)
	c := w.Clinic
	patient := func() error { _, err := c.PatientShow(ctx, w.Staff, w.Patient); return err }
	draft := func() error { _, err := c.DraftShow(ctx, w.Doctor, message); return err }
	whole := func() error { _, err := c.MessageShow(ctx, w.Doctor, message); return err }
	claim := func() error { // refuses on the record
		p, err := c.DeliveryClaim(ctx, worker, deliveryOf(t, w, message))
		if p == nil && err == nil {
			return &clinic.Error{Code: "refused"}
		}
		return err
	}
	m := mover{w, map[string]bool{}}
	for _, column := range []string{"name", "birth_date", "mrn", "summary", "history", "medications", "allergies", "notes"} {
		m.try(t, "patients", column+"_sealed", column+"_sealed", "id", w.Patient, patient)
	}
	m.try(t, "patients", "summary_sealed", "notes_sealed", "id", w.Patient, patient)
	contact := w.Strings(t, "SELECT id::text FROM contacts WHERE patient_id = $1 LIMIT 1", w.Patient)[0]
	m.try(t, "contacts", "address_sealed", "address_sealed", "id", contact, patient)
	m.try(t, "briefs", "body_sealed", "body_sealed", "message_id", message, draft)
	m.try(t, "briefs", "snapshot_sealed", "body_sealed", "message_id", message, draft)
	last := w.Strings(t, "SELECT draft_id::text FROM messages WHERE id = $1", message)[0]
	m.try(t, "drafts", "text_sealed", "text_sealed", "id", last, draft)
	m.try(t, "drafts", "checks_sealed", "text_sealed", "id", last, draft)
	m.try(t, "messages", "final_sealed", "final_sealed", "id", message, whole)
	m.try(t, "reviews", "note_sealed", "note_sealed", "message_id", message, whole)
	m.try(t, "draft_requests", "instruction_sealed", "instruction_sealed", "id", request, func() error { _, err := c.DraftClaim(ctx, worker, request); return err })
	for _, column := range []string{"recipient_sealed", "body_sealed"} {
		m.covered["deliveries."+column] = true // TestDeliveryClaimRefuses
	}
	m.try(t, "pages", "token_sealed", "token_sealed", "message_id", message, claim)
	m.glass(t)
	for _, column := range w.Strings(t, "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name LIKE '%sealed'") {
		if !m.covered[column] {
			t.Errorf("%s is not tried", column)
		}
	}
}
