package clinic_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// shelf is some notices of one patient, and how they are dealt with: each by itself, or all in one transaction.
type shelf struct {
	*clinictest.World
	name    string
	patient uuid.UUID
	ids     []uuid.UUID
	shared  bool
}

func (s *shelf) claim(t *testing.T) (parcels []*clinic.Parcel) {
	t.Helper()
	if s.shared {
		parcels, err := clinic.ClaimTogether(ctx, s.Clinic, worker, s.ids)
		must(t, err)
		return parcels
	}
	for _, id := range s.ids {
		p, err := s.Clinic.DeliveryClaim(ctx, worker, id)
		must(t, err)
		parcels = append(parcels, p)
	}
	return parcels
}

func (s *shelf) record(t *testing.T, parcels []*clinic.Parcel, outs []clinic.Outcome) {
	t.Helper()
	var mine []*clinic.Parcel
	var learnt []clinic.Outcome
	for i, p := range parcels {
		if p == nil {
			continue
		}
		if outs[i].ProviderID != "" {
			outs[i].ProviderID = fmt.Sprint(s.name, "-", i)
		}
		mine, learnt = append(mine, p), append(learnt, outs[i])
		if !s.shared {
			must(t, s.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", outs[i]))
		}
	}
	if s.shared && len(mine) > 0 {
		must(t, clinic.RecordTogether(ctx, s.Clinic, worker, mine, "sendgrid", learnt))
	}
}

// word is a report about the notice of that number.
type word struct {
	of          int
	key         int
	state, code string
	by          string
}

func (s *shelf) hear(t *testing.T, posts [][]word) {
	t.Helper()
	all := make([][]clinic.Receipt, 0, len(posts))
	for _, words := range posts {
		var post []clinic.Receipt
		for _, said := range words {
			r := clinic.Receipt{Provider: "sendgrid", EventKey: fmt.Sprint(s.name, "-", said.key), State: said.state, Code: said.code, At: time.Unix(int64(1e9+said.key), 0)}
			if said.by != "theirs" {
				r.DeliveryID = s.ids[said.of]
			}
			if said.by != "ours" {
				r.ProviderID = fmt.Sprint(s.name, "-", said.of)
			}
			post = append(post, r)
		}
		if len(post) > 0 {
			all = append(all, post)
		}
	}
	if s.shared && len(all) > 0 {
		must(t, clinic.ReceiveTogether(ctx, s.Clinic, mailer, all))
		return
	}
	for _, post := range all {
		must(t, s.Clinic.DeliveryReceive(ctx, mailer, post))
	}
}

// left is everything that a shelf's notices left in the database, without what is by chance or by name. Reports that carry
// the provider's id alone wait until it is known, and then are folded after those that came with them: the same state by
// other steps. Then the steps are not compared, only that each is on the trail.
func (s *shelf) left(t *testing.T, steps bool) []string {
	t.Helper()
	var all []string
	for i, id := range s.ids {
		everyRevIsOnTheTrail(t, s.World, id)
		if !steps {
			all = append(all, s.Strings(t, "SELECT concat_ws(' ', state, attempt, provider, lease_until IS NULL, enqueued_at IS NULL) FROM deliveries WHERE id = $1", id)...)
			all = append(all, s.Strings(t, "SELECT concat_ws(' ', attempt, started_at, finished_at, outcome, error_class) FROM delivery_attempts WHERE delivery_id = $1 ORDER BY attempt", id)...)
			continue
		}
		for _, sql := range []string{
			`SELECT concat_ws(' ', 'row', state, attempt, rev, dispatch, provider, provider_id, error_class, resends, lease_until IS NULL, enqueued_at IS NULL,
				next_attempt_at > updated_at, updated_at) FROM deliveries WHERE id = $1`,
			`SELECT concat_ws(' ', 'attempt', attempt, started_at, finished_at, outcome, error_class) FROM delivery_attempts WHERE delivery_id = $1 ORDER BY attempt`,
			`SELECT concat_ws(' ', 'report', event_key, state, code, clinic_id IS NULL) FROM delivery_events e WHERE delivery_id = $1
				AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = e.delivery_id AND d.attempt > 0) ORDER BY event_key`, // of others no id is learnt: whose a report is then depends on its company
			`SELECT concat_ws(' ', 'event', rev, at, actor_kind, deed, outcome, reason, detail, request_id, patient_id IS NULL, length(rec)) FROM audit_events
				WHERE subject_id = $1 ORDER BY rev, id`,
		} {
			for _, line := range s.Strings(t, sql, id) {
				all = append(all, fmt.Sprint(i, " ", strings.ReplaceAll(line, s.name+"-", "")))
			}
		}
	}
	if !steps {
		return all
	}
	for _, sql := range []string{"SELECT concat_ws(' ', 'contact', channel, bounced_at, bounce_code) FROM contacts WHERE patient_id = $1 ORDER BY channel",
		`SELECT concat_ws(' ', 'consent', c.status, c.source) FROM consents c JOIN contacts k ON k.address_index = c.address_index WHERE k.patient_id = $1 AND c.source = 'provider' ORDER BY c.at, c.id`} {
		all = append(all, s.Strings(t, sql, s.patient)...)
	}
	return append(all, s.Strings(t, "SELECT concat_ws(' ', channel, state, failures, openings, code, probe IS NULL) FROM breakers ORDER BY channel")...)
}

var (
	drawnOutcome = rapid.SampledFrom([]clinic.Outcome{{Class: clinic.OutcomeAccepted, ProviderID: "x"}, {Class: clinic.OutcomeAccepted, ProviderID: "x"},
		{Class: clinic.OutcomeUnknown, Code: "timeout"}, {Class: clinic.OutcomeNotSent, Code: "429"}, {Class: clinic.OutcomeNotSent, Code: "403"},
		{Class: clinic.OutcomeFailed, Code: "400"}, {Class: clinic.OutcomeFailed, Code: "21610"}})
	drawnState = rapid.SampledFrom([]string{"in_transit", "delivered", "undelivered", "opened", "nonsense"})
)

// drawnWords are what a provider says, and then says again.
func drawnWords(t *rapid.T, notices int, ours bool) *rapid.Generator[word] {
	by := []string{"ours", "both", "theirs"}
	if ours {
		by = by[:2]
	}
	all := make([]word, 10)
	for key := range all {
		all[key] = word{of: rapid.IntRange(0, notices-1).Draw(t, "of"), key: key, state: drawnState.Draw(t, "state"),
			code: rapid.SampledFrom([]string{"", "bounce"}).Draw(t, "code"), by: rapid.SampledFrom(by).Draw(t, "by")}
	}
	return rapid.SampledFrom(all)
}

// Whatever is claimed, recorded and reported: in shared transactions it leaves the same rows, attempts, reports, trail,
// contacts, consents and breakers as one by one, as far as left compares them.
func TestSharedIsTheSame(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	until, n := time.Now().Add(20*time.Second), 0
	rapid.Check(t, func(rt *rapid.T) {
		if n >= 8 && time.Now().After(until) { // enough for one run; the seeds differ
			return
		}
		n++
		notices := rapid.IntRange(2, 4).Draw(rt, "notices")
		outs := rapid.SliceOfN(drawnOutcome, notices, notices).Draw(rt, "outcomes")
		again := rapid.SliceOfN(drawnOutcome, notices, notices).Draw(rt, "outcomes of a second attempt")
		steps := rapid.Bool().Draw(rt, "our id in every report")
		words := drawnWords(rt, notices, steps)
		early := rapid.SliceOfN(rapid.SliceOfN(words, 0, 4), 0, 3).Draw(rt, "early posts")
		posts := rapid.SliceOfN(rapid.SliceOfN(words, 0, 6), 0, 4).Draw(rt, "posts")
		withdrawn := rapid.Bool().Draw(rt, "one is withdrawn")
		begin := w.Clock.Now()
		var left [2][]string
		for i, shared := range []bool{false, true} {
			must(t, w.Exec(t, "UPDATE breakers SET state = 'closed', failures = 0, openings = 0, code = '', retry_at = NULL, probe = NULL"))
			w.Clock.Add(begin.Sub(w.Clock.Now()))
			s := &shelf{World: w, name: fmt.Sprintf("%c%d", 'a'+i, n), shared: shared, patient: w.AddPatient(t, w.Staff, "Rosa Delgado", "1967-05-30", fmt.Sprint(10000+100*n+i))}
			s.run(t, notices, withdrawn, early, posts, [][]clinic.Outcome{slices.Clone(outs), slices.Clone(again)})
			left[i] = s.left(t, steps)
		}
		if !slices.Equal(left[0], left[1]) {
			rt.Fatalf("one by one:\n%s\nshared:\n%s", strings.Join(left[0], "\n"), strings.Join(left[1], "\n"))
		}
	})
	t.Logf("%d shelves", n)
	if n < 8 {
		t.Errorf("only %d were tried", n)
	}
}

// run deals with a shelf: two attempts, with reports between them and after them.
func (s *shelf) run(t *testing.T, notices int, withdrawn bool, early, posts [][]word, outs [][]clinic.Outcome) {
	t.Helper()
	var messages []uuid.UUID
	for range notices {
		messages = append(messages, s.Approved(t, s.patient, "email"))
		s.ids = append(s.ids, deliveryOf(t, s.World, messages[len(messages)-1]))
	}
	if withdrawn {
		must(t, s.Exec(t, "UPDATE messages SET version = version + 1 WHERE id = $1", messages[0]))
	}
	parcels := s.claim(t)
	s.hear(t, early)
	s.record(t, parcels, outs[0])
	s.Clock.Add(15 * time.Minute)
	parcels = s.claim(t)
	s.hear(t, posts)
	s.record(t, parcels, outs[1])
}

// A row that somebody holds keeps nobody else: claims leave it, records and reports of others are done meanwhile, and its
// own follow as soon as it is free.
func TestSharedWithARowThatIsHeld(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	var parcels []*clinic.Parcel
	for range 3 {
		parcels = append(parcels, claimed(t, w, w.Approved(t, w.Patient, "email")))
	}
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	tx, err := conn.Begin(ctx)
	must(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, "SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE", parcels[1].DeliveryID)
	must(t, err)
	begun := time.Now()
	done := make(chan int, 3)
	errs := make(chan []error, 1)
	go func() {
		errs <- together(3, func(i int) error {
			err := w.Clinic.DeliveryRecord(ctx, worker, parcels[i], "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: fmt.Sprint("x", i)})
			done <- i
			return err
		})
	}()
	if one, two := <-done, <-done; one == 1 || two == 1 {
		t.Errorf("%d and %d are recorded, and one of them is held", one, two)
	}
	if waited := time.Since(begun); waited > 4*time.Second { // and not when a transaction's time limit was over
		t.Errorf("the others waited for %s", waited)
	}
	must(t, tx.Rollback(ctx))
	<-done
	for _, err := range <-errs {
		must(t, err)
	}
	wantCount(t, w, 3, "accepted", "SELECT count(*) FROM deliveries WHERE state = 'accepted'")
}

// One that is refused takes no other with it, and is refused on the trail: a record of a delivery that is not there, and a
// report that no column takes.
func TestSharedWithOneThatFails(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	p := claimed(t, w, w.Approved(t, w.Patient, "email"))
	lost := *p
	lost.DeliveryID = uuid.Must(uuid.NewV7())
	errs := together(8, func(i int) error {
		if i%2 == 0 {
			return w.Clinic.DeliveryRecord(ctx, worker, &lost, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "y"})
		}
		return w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x"})
	})
	for i, err := range errs {
		if i%2 == 0 {
			wantKind(t, err, clinic.NotFound, "a delivery that is not there")
		} else {
			must(t, err)
		}
	}
	wantState(t, w, p.DeliveryID, "accepted")
	wantCount(t, w, 4, "refusals on the trail", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND outcome = 'refused' AND reason = 'not_found'", lost.DeliveryID)
	errs = together(6, func(i int) error {
		r := clinic.Receipt{Provider: "sendgrid", EventKey: fmt.Sprint(i), DeliveryID: p.DeliveryID, State: "delivered", At: time.Now()}
		if i == 3 {
			r.State = "\x00"
		}
		return w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{r})
	})
	for i, err := range errs {
		if (err != nil) != (i == 3) {
			t.Errorf("report %d: %v", i, err)
		}
	}
	wantCount(t, w, 5, "reports", "SELECT count(*) FROM delivery_events WHERE delivery_id = $1", p.DeliveryID)
}

// A patient whose key the keyset lacks keeps nobody else's notice: each claim that came along is tried by itself.
func TestSharedWithALostKey(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	lost := w.AddPatient(t, w.Staff, "Rosa Delgado", "1980-02-03", "30771") // the letter names her
	ids := make([]uuid.UUID, 12)
	for i := range ids {
		of := w.Patient
		if i%2 == 0 {
			of = lost
		}
		ids[i] = deliveryOf(t, w, w.Approved(t, of, "email"))
	}
	w.LoseKey(t, lost)
	errs := together(len(ids), func(i int) error { _, err := w.Clinic.DeliveryClaim(ctx, worker, ids[i]); return err })
	for i, err := range errs {
		if i%2 == 0 {
			wantCode(t, err, "key_lost", "a claim of the patient whose key is missing")
			wantState(t, w, ids[i], "queued")
		} else {
			must(t, err)
			wantState(t, w, ids[i], "sending")
		}
	}
}
