package clinic_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// keep sets for how long a clinic keeps messages, having looked at what that takes.
func keep(t *testing.T, w *clinictest.World, years int) {
	t.Helper()
	v, err := w.Clinic.ClinicShow(ctx, w.Admin)
	must(t, err)
	v.Settings.RetentionYears = years
	if err := w.Clinic.ClinicEdit(ctx, w.Admin, v.Settings); clinic.Code(err) == "retention_unseen" {
		v.Settings.RetentionSeen = clinic.Fields(err)["retention_seen"]
		must(t, w.Clinic.ClinicEdit(ctx, w.Admin, v.Settings))
	} else {
		must(t, err)
	}
}

// retired carries a clinic's night out, and is how many messages went.
func retired(t *testing.T, w *clinictest.World) (n int) {
	t.Helper()
	r := clinic.Retirement{ClinicID: w.ClinicID}
	for more := true; more; {
		gone, left, err := w.Clinic.MessageRetire(ctx, worker, &r)
		must(t, err)
		n, more = n+gone, left
	}
	return n
}

// ofMessages are the tables that hold rows of a message, and how each says whose they are.
var ofMessages = map[string]string{
	"messages": "id", "briefs": "message_id", "drafts": "message_id", "draft_requests": "message_id", "acknowledgements": "message_id", "reviews": "message_id",
	"pages": "message_id", "follow_ups": "message_id", "deliveries": "message_id",
	"page_proofs":       "page_id IN (SELECT id FROM pages WHERE message_id",
	"page_sessions":     "page_id IN (SELECT id FROM pages WHERE message_id",
	"delivery_attempts": "delivery_id IN (SELECT id FROM deliveries WHERE message_id",
	"delivery_events":   "delivery_id IN (SELECT id FROM deliveries WHERE message_id",
}

// rowsOfMessage counts them.
func rowsOfMessage(t *testing.T, w *clinictest.World, id uuid.UUID) map[string]int {
	t.Helper()
	n := map[string]int{}
	for table, by := range ofMessages {
		end := map[bool]string{true: ")"}[strings.Contains(by, "(")]
		if many := w.Count(t, "SELECT count(*) FROM "+table+" WHERE "+by+" = $1"+end, id); many > 0 {
			n[table] = many
		}
	}
	return n
}

// whole is a message that has lived through everything: asked of the model, returned, signed, sent, reported on, opened and read.
func whole(t *testing.T, w *clinictest.World) uuid.UUID {
	t.Helper()
	id, p := sent(t, w, "email", "whole")
	must(t, w.Clinic.DeliveryReceive(ctx, clinic.ProviderActor("sendgrid", "", ""), []clinic.Receipt{receipt("e1", "whole", "delivered", w.Clock.Now())}))
	cookie, err := prove(w, tokenOf(p), rightDate)
	must(t, err)
	_, err = w.Clinic.PageRead(ctx, nobody, tokenOf(p), cookie)
	must(t, err)
	must(t, w.Exec(t, `INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, state, next_attempt_at, created_at, finished_at)
		SELECT $1, clinic_id, id, 1, '\x00', author_id, doctor_id, 'ready', $2, $2, $2 FROM messages WHERE id = $3`, uuid.Must(uuid.NewV7()), w.Clock.Now(), id))
	must(t, w.Exec(t, "INSERT INTO acknowledgements (message_id, clinic_id, finding_key, check_code, staff_id, at) SELECT id, clinic_id, 'a', 'C4', doctor_id, $1 FROM messages WHERE id = $2", w.Clock.Now(), id))
	return id
}

// Of a clinic that keeps messages for a year go those that were over for longer, with all that is theirs and an event each;
// nothing that is not over goes, nothing of a clinic that keeps everything, and the ledger and the accounting of disclosures
// are what they were.
func TestMessageRetire(t *testing.T) {
	t.Parallel()
	w, known := sealed(t)
	near := w.Neighbour(t)
	gone, kept := lives(t, w, near)
	before, all := map[string]map[string]int{}, rowsOfMessage(t, w, gone["whole"])
	for name, id := range kept {
		before[name] = rowsOfMessage(t, w, id)
	}
	if len(all) != len(ofMessages) {
		t.Errorf("the whole message has rows in %v only", all)
	}
	disclosed, err := w.Clinic.AuditDisclosures(ctx, w.Doctor, w.Patient)
	must(t, err)
	if n := retired(t, w) + retired(t, near); n != 0 {
		t.Errorf("%d messages went from clinics that keep everything", n)
	}
	keep(t, w, 1)
	if n := retired(t, w) + retired(t, near); n != len(gone) {
		t.Errorf("%d messages went, want %d", n, len(gone))
	}
	for name, id := range gone {
		if left := rowsOfMessage(t, w, id); len(left) != 0 {
			t.Errorf("of the %s message are left %v", name, left)
		}
		wantCount(t, w, 1, "events of its end", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND deed = 'message.retire' AND outcome = 'done' AND patient_id = $2 AND clinic_id = $3", id, w.Patient, w.ClinicID)
	}
	wantCount(t, w, 0, "reports of deliveries that are gone", "SELECT count(*) FROM delivery_events e WHERE e.clinic_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = e.delivery_id)")
	for name, id := range kept {
		if now := rowsOfMessage(t, w, id); !maps.Equal(now, before[name]) {
			t.Errorf("of the message %s are left %v of %v", name, now, before[name])
		}
	}
	after, err := w.Clinic.AuditDisclosures(ctx, w.Doctor, w.Patient)
	must(t, err)
	if len(disclosed.Rows) == 0 || !slices.Equal(after.Rows, disclosed.Rows) {
		t.Errorf("the accounting of disclosures is\n%+v\nand was\n%+v", after.Rows, disclosed.Rows)
	}
	sealAll(t, w)
	if report, err := w.Clinic.LedgerVerify(ctx, clinic.LedgerCheck{Known: known}); err != nil || len(report.Findings) != 0 {
		t.Errorf("the ledger: %+v, %v", report, err)
	}
	if _, err := w.Clinic.PatientShow(ctx, w.Doctor, w.Patient); err != nil {
		t.Errorf("the patient: %v", err)
	}
	_, err = w.Clinic.DraftShow(ctx, w.Doctor, gone["whole"])
	wantKind(t, err, clinic.NotFound, "a message that went")
	must(t, w.Clinic.DeliveryReceive(ctx, clinic.ProviderActor("sendgrid", "", ""), []clinic.Receipt{receipt("e9", "whole", "opened", w.Clock.Now())})) // heard of too late
}

// lives are messages that are over, and some that are not, of two clinics; and a year goes by.
func lives(t *testing.T, w, near *clinictest.World) (gone, kept map[string]uuid.UUID) {
	t.Helper()
	gone = map[string]uuid.UUID{"whole": whole(t, w)}
	withdrawn := w.Approved(t, w.Patient, "email")
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, withdrawn, version(t, w, withdrawn)))
	gone["withdrawn"] = withdrawn
	unknown, _ := lost(t, w)
	halfway, _ := lost(t, w)
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, halfway, version(t, w, halfway)))
	w.Clock.Add(time.Minute)
	failed, p := sent(t, w, "sms", "f")
	must(t, w.Clinic.DeliveryReceive(ctx, clinic.ProviderActor("twilio", "", ""), []clinic.Receipt{{Provider: "twilio", EventKey: "f", DeliveryID: p.DeliveryID, ProviderID: "f", State: "undelivered", At: w.Clock.Now()}}))
	wantState(t, w, p.DeliveryID, "undelivered")
	kept = map[string]uuid.UUID{"unknown": unknown, "withdrawn and unknown": halfway, "undelivered": failed, "queued": w.Approved(t, w.Patient, "email"), "in review": w.Submitted(t, w.Patient, "email"), "drafting": briefed(t, w), "next door": near.Approved(t, near.Patient, "email")}
	pn, err := w.Clinic.DeliveryClaim(ctx, worker, deliveryOf(t, w, kept["next door"]))
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, pn, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "near"}))
	w.Clock.Add(200 * 24 * time.Hour)
	kept["younger"], _ = sent(t, w, "email", "younger")
	w.Clock.Add(180 * 24 * time.Hour)
	return gone, kept
}

// A message is over when the last of it is: to the moment at which its year is full it stays, and goes in the next.
func TestMessageRetireToTheMoment(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id, _ := sent(t, w, "email", "x")
	ends := w.Clock.Now().AddDate(0, 0, 7) // its page's
	keep(t, w, 1)
	w.Clock.Add(ends.AddDate(1, 0, 0).Sub(w.Clock.Now()))
	if n := retired(t, w); n != 0 || len(rowsOfMessage(t, w, id)) == 0 {
		t.Fatal("it went on the day its year was full")
	}
	w.Clock.Add(time.Millisecond)
	must(t, w.Exec(t, "UPDATE clinics SET retention_years = NULL"))
	if n := retired(t, w); n != 0 {
		t.Fatal("it went although the clinic keeps everything now")
	}
	must(t, w.Exec(t, "UPDATE clinics SET retention_years = 1"))
	if n := retired(t, w); n != 1 {
		t.Fatalf("%d went", n)
	}
}

// copies puts n messages beside one that is over, each with a draft, as only the owner of the database could.
func copies(t *testing.T, w *clinictest.World, of uuid.UUID, n int) {
	t.Helper()
	must(t, w.Exec(t, `WITH made AS (INSERT INTO messages (id, clinic_id, patient_id, doctor_id, author_id, status, kind, priority, channel, due_at, created_at, updated_at)
		SELECT gen_random_uuid(), clinic_id, patient_id, doctor_id, author_id, 'withdrawn', kind, priority, channel, due_at, created_at, updated_at FROM messages, generate_series(1, $2) WHERE id = $1 RETURNING id, clinic_id, author_id)
		INSERT INTO drafts (id, clinic_id, message_id, version, brief_version, source, written_by, text_sealed, checks_sealed, created_at) SELECT gen_random_uuid(), clinic_id, id, 1, 1, 'person', author_id, '\x00', '\x00', now() FROM made`, of, n))
}

// Messages go in batches, of which each is whole or not at all; of any number of workers each message goes by one; and the night's
// event says how many went.
func TestMessageRetireInBatches(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	one := w.Approved(t, w.Patient, "email")
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, one, version(t, w, one)))
	copies(t, w, one, 249)
	at(t, w, 400, 3)
	keep(t, w, 1)
	must(t, w.Exec(t, "CREATE TABLE stray (message_id uuid, clinic_id uuid, FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id))"))
	must(t, w.Exec(t, "INSERT INTO stray SELECT id, clinic_id FROM messages WHERE status = 'withdrawn' ORDER BY updated_at, id LIMIT 1 OFFSET 150"))
	r := clinic.Retirement{ClinicID: w.ClinicID}
	gone, more, err := w.Clinic.MessageRetire(ctx, worker, &r)
	if gone != 100 || !more || err != nil {
		t.Fatalf("the first batch: %d, %v, %v", gone, more, err)
	}
	for range 2 { // of the second batch one cannot go
		if gone, _, err := w.Clinic.MessageRetire(ctx, worker, &r); err == nil || gone != 0 {
			t.Fatalf("a batch that fails says %d, %v", gone, err)
		}
	}
	wantCount(t, w, 150, "messages after a batch that failed", "SELECT count(*) FROM messages")
	wantCount(t, w, 100, "events", "SELECT count(*) FROM audit_events WHERE deed = 'message.retire'")
	must(t, w.Exec(t, "DROP TABLE stray"))
	for _, err := range together(3, func(int) error {
		r := clinic.Retirement{ClinicID: w.ClinicID}
		for more := true; more; {
			_, left, err := w.Clinic.MessageRetire(ctx, worker, &r)
			if more = left; err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	if n := retired(t, w); n != 0 { // what one held another has left for a later look: there is none of it any more
		t.Logf("%d were left for a later look", n)
	}
	wantCount(t, w, 0, "messages", "SELECT count(*) FROM messages")
	wantCount(t, w, 250, "messages with an event of their end", "SELECT count(DISTINCT subject_id) FROM audit_events WHERE deed = 'message.retire'")
	wantCount(t, w, 250, "events", "SELECT count(*) FROM audit_events WHERE deed = 'message.retire'")
	for _, want := range []string{"250 messages deleted, past the clinic’s time", "nothing to take away, and every record whole"} {
		w.Clock.Add(time.Minute)
		night(t, w, true)
		for _, j := range jobs(t, w) {
			if j.Name == "nightly" && (len(j.Found) != 1 || j.Found[0] != want) {
				t.Errorf("the night found %q, want %q", j.Found, want)
			}
		}
	}
}

// The night's hour is the one of messages, too; and what is left keeps the night open.
func TestRetentionDue(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	keep(t, w, 3)
	due := func(asked bool) int {
		all, err := w.Clinic.RetentionDue(ctx, asked)
		must(t, err)
		return len(all)
	}
	at(t, w, 1, 1)
	if due(false) != 0 || due(true) != 1 {
		t.Error("before the hour it is due, or not when somebody asks")
	}
	at(t, w, 0, 2)
	if due(false) != 1 {
		t.Error("at its hour it is not due")
	}
	did, err := w.Clinic.JobNightly(ctx, worker, false, true)
	if must(t, err); !did || due(false) != 1 {
		t.Error("a night with messages left is over")
	}
	if night(t, w, false); due(false) != 0 {
		t.Error("after the night it is due")
	}
	w.Neighbour(t)
	if due(true) != 1 {
		t.Error("a clinic that keeps everything is looked at")
	}
}

// Who sets a shorter time is told first what goes, and has to send that back: nothing is saved before, and not when it has changed.
func TestRetentionIsSeenFirst(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	one := w.Approved(t, w.Patient, "email")
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, one, version(t, w, one)))
	lost(t, w)
	w.Approved(t, w.Patient, "email")
	w.Clock.Add(3 * 366 * 24 * time.Hour)
	try := func(years int, seen string) error {
		v, err := w.Clinic.ClinicShow(ctx, w.Admin)
		must(t, err)
		v.Settings.RetentionYears, v.Settings.RetentionSeen = years, seen
		return w.Clinic.ClinicEdit(ctx, w.Admin, v.Settings)
	}
	for _, years := range []int{-1, 101} {
		if err := try(years, ""); clinic.Fields(err)["retention_years"] == "" {
			t.Errorf("%d years: %v", years, err)
		}
	}
	err := try(2, "")
	wantCode(t, err, "retention_unseen", "a time that nobody has looked at")
	if words := clinic.Fields(err)["retention_years"]; !strings.Contains(words, "With 2 years, one message goes on the night of") || !strings.Contains(words, "2 of that age stay") {
		t.Errorf("it says %q", words)
	}
	seen := clinic.Fields(err)["retention_seen"]
	wantCode(t, try(1, seen), "retention_unseen", "what was seen of another time")
	copies(t, w, one, 1)
	wantCode(t, try(2, seen), "retention_unseen", "what was seen before another message was over")
	wantCount(t, w, 0, "clinics with a time", "SELECT count(*) FROM clinics WHERE retention_years IS NOT NULL")
	must(t, try(2, "2/2"))
	must(t, try(3, "")) // longer takes nothing more
	must(t, try(0, ""))
	must(t, try(3, "3/1"))
	v, err := w.Clinic.ClinicShow(ctx, w.Admin)
	must(t, err)
	if v.Keeps == nil || v.Keeps.Gone != 1 || v.Keeps.Kept != 3 || v.History[0].What[0] != "how long messages are kept: for ever → 3 years" {
		t.Errorf("%+v, %v", v.Keeps, v.History)
	}
}

// The database lets no message go without its event, no notice that is under way, and no report before its notice.
func TestRetentionIsHeldByTheDatabase(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	whole(t, w)
	briefed(t, w)
	if err := w.Exec(t, "DELETE FROM delivery_events"); err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("a report of a notice that is there: %v", err)
	}
	must(t, w.Exec(t, "INSERT INTO delivery_events (id, provider, event_key, state, happened_at, received_at) VALUES (gen_random_uuid(), 'sendgrid', 'nobody', 'delivered', now(), now())"))
	if err := w.Exec(t, "DELETE FROM delivery_events WHERE event_key = 'nobody'"); err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("a report that is nobody's: %v", err)
	}
	w.Approved(t, w.Patient, "email")
	if err := w.Exec(t, "DELETE FROM deliveries WHERE state = 'queued'"); err == nil || !strings.Contains(err.Error(), "while it is queued") {
		t.Errorf("a notice that is under way: %v", err)
	}
	if err := w.Exec(t, "WITH a AS (DELETE FROM briefs WHERE message_id IN (SELECT id FROM messages WHERE status = 'drafting')) DELETE FROM messages WHERE status = 'drafting'"); err == nil || !strings.Contains(err.Error(), "without an audit event") {
		t.Errorf("a message without its event: %v", err)
	}
}

// What a message is made of is what is taken: every table that refers to one, directly or by another, is in the list, and each
// reference has its index, so that a night reads no whole table.
func TestRetentionKnowsTheSchema(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	refer := w.Strings(t, `WITH RECURSIVE r AS (SELECT 'messages'::regclass::oid AS oid UNION SELECT k.conrelid FROM pg_constraint k JOIN r ON k.confrelid = r.oid WHERE k.contype = 'f')
		SELECT oid::regclass::text FROM r UNION SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public' AND column_name IN ('message_id', 'delivery_id', 'page_id') AND table_name <> 'message_ends' ORDER BY 1`)
	if known := slices.Sorted(maps.Keys(ofMessages)); !slices.Equal(refer, known) {
		t.Errorf("to messages refer %v, known are %v", refer, known)
	}
	taken := map[string]bool{}
	for _, q := range queries(t) {
		if m := regexp.MustCompile(`^\s*DELETE FROM ([a-z_]+)`).FindStringSubmatch(q.text); m != nil && strings.HasPrefix(q.name, "Retire") {
			taken[m[1]] = true
		}
	}
	if got := slices.Sorted(maps.Keys(taken)); !slices.Equal(got, refer) {
		t.Errorf("taken are %v of %v", got, refer)
	}
	small := []string{"page_proofs -> pages", "page_sessions -> pages"} // the night before has left a month and a day of them
	bare := w.Strings(t, `SELECT k.conrelid::regclass || ' -> ' || k.confrelid::regclass FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid::regclass::text = ANY($1)
		AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL AND k.conkey @> ARRAY[i.indkey[0]] AND
			(k.conkey @> ARRAY[i.indkey[0], i.indkey[1]] OR i.indkey[0] = (SELECT attnum FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname IN ('message_id', 'delivery_id')))) ORDER BY 1`, refer)
	if !slices.Equal(bare, small) {
		t.Errorf("without an index refer %v", bare)
	}
}
