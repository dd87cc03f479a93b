package clinictest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/clinic"
	"countersign/internal/seal"
)

// Clock is a clock that stands still until a test moves it.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

// Add moves it.
func (c *Clock) Add(d time.Duration) { c.mu.Lock(); c.at = c.at.Add(d); c.mu.Unlock() }

// World is a clinic with people and one patient, and what the clinic said to the queue and to open pages.
type World struct {
	Clinic                                   *clinic.Clinic
	URL                                      string
	Keyset                                   string
	Issuer                                   string
	ClinicID                                 uuid.UUID
	Clock                                    *Clock
	Doctor, Doctor2, Staff, Staff2, Reviewer clinic.Actor
	Auditor, Admin, Ops, Operator            clinic.Actor
	Patient                                  uuid.UUID
	root                                     testing.TB // whose end ends the World
	pool                                     *pgxpool.Pool
	mu                                       sync.Mutex
	dues                                     []clinic.Due
	names                                    []string
}

// Option changes how the clinic is opened.
type Option func(*clinic.Config)

// Issuer is who vouches for the World's people; the subject is their whole name.
const Issuer = "http://issuer.test"

// New opens a clinic on a database of its own, with the undo window off, people of every role, and one patient with
// both contacts on the care team of Doctor, Staff, Staff2 and Reviewer.
func New(t testing.TB, opts ...Option) *World {
	t.Helper()
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{root: t, URL: DB(t), Keyset: keyset, Issuer: Issuer, Clock: &Clock{at: time.Now().UTC().Truncate(time.Millisecond)}, ClinicID: uuid.Must(uuid.NewV7())}
	times := clinic.DefaultTimes()
	times.Proof = time.Millisecond
	cfg := clinic.Config{DatabaseURL: w.URL, Keyring: keys, BaseURL: "http://localhost:8080", MaxConns: 8, Now: w.Clock.Now, Times: times,
		Nudge: func(_ context.Context, d clinic.Due) { w.mu.Lock(); w.dues = append(w.dues, d); w.mu.Unlock() },
		Announce: func(_ context.Context, names []string) {
			w.mu.Lock()
			w.names = append(w.names, names...)
			w.mu.Unlock()
		}}
	for _, o := range opts {
		o(&cfg)
	}
	if w.Clinic, err = clinic.Open(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Clinic.Close)
	w.people(t)
	w.Patient = w.AddPatient(t, w.Staff, "Rosa Delgado", "1967-05-30", "20441")
	return w
}

func (w *World) people(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	w.Operator = clinic.OperatorActor("test")
	w.Operator.ClinicID = w.ClinicID
	w.must(t, w.Clinic.ClinicCreate(ctx, w.Operator, clinic.ClinicForm{ID: w.ClinicID, Name: "Riverside Care", NoticeName: "Riverside Care Team",
		Phone: "+1 415 555 0100", Emergency: "911", Zone: "America/Chicago"}))
	for _, p := range []struct {
		into *clinic.Actor
		name string
		role clinic.Role
	}{{&w.Doctor, "Dr Amara Osei", clinic.Doctor}, {&w.Doctor2, "Dr Jonas Lindqvist", clinic.Doctor}, {&w.Staff, "Tom Reyes", clinic.Staff},
		{&w.Staff2, "Priya Nair", clinic.Staff}, {&w.Reviewer, "Helen Marsh", clinic.Reviewer}, {&w.Auditor, "Victor Sandoval", clinic.Auditor},
		{&w.Admin, "Ruth Ebbing", clinic.Admin}, {&w.Ops, "Kenji Watts", clinic.Ops}} {
		a, err := w.Clinic.StaffPut(ctx, w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: w.Issuer, Subject: p.name, Email: "someone@riverside.example", Name: p.name, Role: p.role})
		w.must(t, err)
		a.ClinicName = "Riverside Care"
		*p.into = a
	}
}

// AddPatient adds a patient with an e-mail address and a mobile number, cared for by Doctor, Staff, Staff2, Reviewer.
func (w *World) AddPatient(t testing.TB, by clinic.Actor, name, birth, mrn string) uuid.UUID {
	t.Helper()
	ctx := context.Background()
	id, err := w.Clinic.PatientCreate(ctx, by, clinic.PatientForm{Name: name, BirthDate: birth, MRN: mrn, Language: "en", DoctorID: w.Doctor.ID,
		Summary: "High blood pressure.", Medications: "lisinopril 10 mg daily", Allergies: "penicillin - rash",
		Email: "p" + mrn + "@mail.example", Phone: "+1415555" + mrn[1:]})
	w.must(t, err)
	for _, s := range []clinic.Actor{w.Staff, w.Staff2, w.Reviewer} {
		w.must(t, w.Clinic.TeamJoin(ctx, w.Operator, id, s.ID))
	}
	return id
}

// Letter is a message that passes every check against Brief.
const Letter = "Dear Rosa Delgado,\n\nThank you for telling us about the cough. Please stop taking lisinopril 10 mg tonight.\n\n" +
	"Start losartan 50 mg once a day tomorrow. Please book a blood test with us.\n\n" +
	"If your lips or face swell, call 911. Call the clinic if you have questions."

// Brief is a plain clinical brief for the patient.
func (w *World) Brief(patient uuid.UUID, channel string) clinic.BriefForm {
	return clinic.BriefForm{PatientID: patient, DoctorID: w.Doctor.ID, Inquiry: "My new blood pressure pill makes me cough all night. Can I stop it?",
		Points:   []string{"Stop lisinopril 10 mg tonight", "Start losartan 50 mg once a day tomorrow", "Book a blood test"},
		Facts:    []clinic.FactForm{{Kind: "drug", Text: "losartan 50 mg once a day"}, {Kind: "instruction", Text: "stop lisinopril 10 mg"}},
		Priority: "normal", Kind: "clinical", Channel: channel}
}

// Submitted takes a message by hand to the reviewer's table and returns its id.
func (w *World) Submitted(t testing.TB, patient uuid.UUID, channel string) uuid.UUID {
	t.Helper()
	ctx := context.Background()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(patient, channel))
	w.must(t, err)
	w.must(t, w.Clinic.DraftByHand(ctx, w.Staff, id))
	v := w.Show(t, w.Staff, id)
	v, err = w.Clinic.DraftEdit(ctx, w.Staff, id, v.Message.Version, Letter)
	w.must(t, err)
	w.must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, v.Message.Version))
	return id
}

// Approved takes a message all the way to the doctor's signature, answering each finding.
func (w *World) Approved(t testing.TB, patient uuid.UUID, channel string) uuid.UUID {
	t.Helper()
	id := w.Submitted(t, patient, channel)
	w.Answer(t, w.Doctor, id)
	w.must(t, w.Clinic.ReviewApprove(context.Background(), w.Doctor, id, w.Show(t, w.Doctor, id).Message.Version, nil))
	return id
}

// Answer answers every open finding as the actor.
func (w *World) Answer(t testing.TB, a clinic.Actor, id uuid.UUID) {
	t.Helper()
	for _, f := range w.Show(t, a, id).Findings {
		if f.Level == "ask" && !f.Answered {
			w.must(t, w.Clinic.FindingAnswer(context.Background(), a, id, f.Key))
		}
	}
}

// Show reads a message.
func (w *World) Show(t testing.TB, a clinic.Actor, id uuid.UUID) clinic.DraftView {
	t.Helper()
	v, err := w.Clinic.DraftShow(context.Background(), a, id)
	w.must(t, err)
	return v
}

// Dues are the nudges so far.
func (w *World) Dues() []clinic.Due {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]clinic.Due(nil), w.dues...)
}

// Names are the announcements so far.
func (w *World) Names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.names...)
}

// Count runs a query that answers with one number, on the test's own connection: for looking, not for making.
func (w *World) Count(t testing.TB, sql string, args ...any) int {
	t.Helper()
	var n int
	w.must(t, w.own(t).QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

// Exec runs a statement with the owner's power and returns its error: for attacks.
func (w *World) Exec(t testing.TB, sql string, args ...any) error {
	t.Helper()
	_, err := w.own(t).Exec(context.Background(), sql, args...)
	return err
}

// own is the test's own way to the database, beside the clinic's.
func (w *World) own(t testing.TB) *pgxpool.Pool {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pool == nil {
		cfg, err := pgxpool.ParseConfig(w.URL)
		w.must(t, err)
		cfg.MaxConns = 2
		w.pool, err = pgxpool.NewWithConfig(context.Background(), cfg)
		w.must(t, err)
		w.root.Cleanup(w.pool.Close)
	}
	return w.pool
}

func (w *World) must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v: %s %v", err, clinic.Sentence(err), clinic.Fields(err))
	}
}
