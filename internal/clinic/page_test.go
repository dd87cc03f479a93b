package clinic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

const (
	rightDate = "1967-05-30"
	wrongDate = "1967-05-31"
)

// tokenOf is the page's token, from the notice that was to be sent.
func tokenOf(p *clinic.Parcel) string {
	_, rest, _ := strings.Cut(p.Body.Reveal(), "/m/")
	return rest[:43]
}

func prove(w *clinictest.World, token, date string) (string, error) {
	return w.Clinic.PageProve(ctx, nobody, token, date)
}

// wantRefusal: every cause reads the same, word for word.
func wantRefusal(t *testing.T, err error, what string) {
	t.Helper()
	wantCode(t, err, "proof", what)
	wantKind(t, err, clinic.Unauthenticated, what)
	if clinic.Sentence(err) != "That did not work. Please check the date of birth, or call the clinic. After five tries the link is locked." {
		t.Errorf("%s reads %q", what, clinic.Sentence(err))
	}
}

func TestPageRightAndWrongDate(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	token := tokenOf(p)
	for _, date := range []string{wrongDate, "", "30.05.1967", "Rosa"} {
		_, err := prove(w, token, date)
		wantRefusal(t, err, "the date "+date)
	}
	_, err := prove(w, "no-such-token", rightDate)
	wantRefusal(t, err, "an unknown link")
	wantCount(t, w, 4, "wrong proofs on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'page.prove' AND outcome = 'refused' AND reason = 'proof'")
	cookie, err := prove(w, token, rightDate)
	must(t, err)
	wantState(t, w, p.DeliveryID, "opened")
	_, err = w.Clinic.PageRead(ctx, nobody, token, cookie)
	must(t, err)
	wantCount(t, w, 0, "tries after a right proof", "SELECT tries FROM pages")
	w.Clock.Add(15 * time.Minute)
	_, err = w.Clinic.PageRead(ctx, nobody, token, cookie)
	wantCode(t, err, "page_session", "after 15 minutes")
	stored := strings.Join(w.Strings(t, "SELECT p::text || s::text FROM pages p, page_sessions s"), "")
	if strings.Contains(stored, token) || strings.Contains(stored, cookie) {
		t.Error("a token or cookie is stored as it is")
	}
}

func TestPageLocksAfterFiveTries(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	for _, err := range together(5, func(int) error { _, err := prove(w, tokenOf(p), wrongDate); return err }) {
		wantRefusal(t, err, "a wrong date")
	}
	_, err := prove(w, tokenOf(p), rightDate)
	wantRefusal(t, err, "the right date on a locked link")
	w.Clock.Add(6 * 24 * time.Hour)
	_, err = prove(w, tokenOf(p), rightDate)
	wantRefusal(t, err, "the right date days later")
	wantState(t, w, p.DeliveryID, "accepted")
}

func TestPageTenWrongProofsAPatientADay(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	tokens := []string{}
	for _, id := range []string{"x1", "x2", "x3"} {
		_, p := sent(t, w, "email", id)
		tokens = append(tokens, tokenOf(p))
	}
	for i := range 10 {
		_, err := prove(w, tokens[i%3], wrongDate) // at most four a link: none is locked
		wantRefusal(t, err, "a wrong date")
	}
	wantCount(t, w, 0, "locked links", "SELECT count(*) FROM pages WHERE locked_at IS NOT NULL")
	_, err := prove(w, tokens[1], rightDate)
	wantRefusal(t, err, "the right date after ten wrong ones")
	w.Clock.Add(24*time.Hour + time.Second)
	_, err = prove(w, tokens[2], rightDate)
	must(t, err)
}

// Ten a day is ten, however many links are tried at the same moment: while a try on one link is being counted, a try on
// another link of the patient waits, and counts it.
func TestPageProofsOfAPatientCountOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	_, q := sent(t, w, "email", "x2")
	for i := range 9 {
		_, err := prove(w, tokenOf([]*clinic.Parcel{p, q, q}[i%3]), wrongDate)
		wantRefusal(t, err, "a wrong date")
		must(t, w.Exec(t, "UPDATE pages SET tries = 0, locked_at = NULL"))
	}
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	other, err := conn.Begin(ctx) // the tenth wrong try, on another link, in the middle of its transaction
	must(t, err)
	_, err = other.Exec(ctx, `SELECT 1 FROM patient_keys WHERE patient_id = $1 FOR NO KEY UPDATE`, w.Patient)
	must(t, err)
	_, err = other.Exec(ctx, `INSERT INTO page_proofs SELECT gen_random_uuid(), x.clinic_id, page_id, x.patient_id, ok, at FROM page_proofs x
		JOIN pages g ON g.id = page_id JOIN deliveries d ON d.message_id = g.message_id WHERE d.id = $1 LIMIT 1`, q.DeliveryID)
	must(t, err)
	answer := make(chan error, 1)
	go func() { _, err := prove(w, tokenOf(p), rightDate); answer <- err }()
	for waits := false; !waits; {
		select {
		case err := <-answer:
			t.Fatalf("it did not wait for the other try: %v", err)
		default:
			waits = w.Count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
		}
	}
	must(t, other.Commit(ctx))
	wantRefusal(t, <-answer, "the right date after the tenth wrong one")
}

// Before proof an ended link is like any other; who proves themselves is told, and nothing counts as opened.
func TestPageEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *clinictest.World, uuid.UUID){
		"expired": func(_ *testing.T, w *clinictest.World, _ uuid.UUID) { w.Clock.Add(7*24*time.Hour + time.Second) },
		"withdrawn": func(t *testing.T, w *clinictest.World, message uuid.UUID) {
			must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			message, p := sent(t, w, "email", "x1")
			token := tokenOf(p)
			before, err := prove(w, token, rightDate) // a session from before the end
			must(t, err)
			must(t, w.Exec(t, "UPDATE page_sessions SET expires_at = expires_at + interval '30 days'"))
			other, q := sent(t, w, "email", "x2")
			end(t, w, message)
			_, err = prove(w, token, wrongDate)
			wantRefusal(t, err, "a wrong date on an ended link")
			cookie, err := prove(w, token, rightDate)
			must(t, err)
			for _, c := range []string{before, cookie} {
				_, err = w.Clinic.PageRead(ctx, nobody, token, c)
				wantCode(t, err, name, "reading")
				wantCode(t, w.Clinic.PageAcknowledge(ctx, nobody, token, c), name, "acknowledging")
			}
			wantCount(t, w, 0, "acknowledged pages", "SELECT count(*) FROM pages WHERE acknowledged_at IS NOT NULL")
			if name == "withdrawn" {
				return
			}
			_, err = prove(w, tokenOf(q), rightDate)
			must(t, err)
			wantState(t, w, deliveryOf(t, w, other), "accepted") // proved on an ended link: not opened
		})
	}
}

func TestPageCookieIsOfOnePage(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	_, q := sent(t, w, "email", "x2")
	cookie, err := prove(w, tokenOf(p), rightDate)
	must(t, err)
	_, err = w.Clinic.PageRead(ctx, nobody, tokenOf(q), cookie)
	wantCode(t, err, "page_session", "another page's cookie")
	wantCode(t, w.Clinic.PageAcknowledge(ctx, nobody, tokenOf(q), cookie), "page_session", "another page's cookie")
	for _, token := range []string{tokenOf(p), "no-such-token"} {
		_, err = w.Clinic.PageRead(ctx, nobody, token, "no-such-cookie")
		wantCode(t, err, "page_session", "an unknown cookie")
	}
	wantCount(t, w, 4, "refusals on the trail", "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND reason = 'page_session'")
}

// The signature is checked at each view: any change of text, signer, evidence, time or message and nothing is shown.
func TestPageReadVerifiesTheSignature(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := sent(t, w, "email", "x1")
	cookie, err := prove(w, tokenOf(p), rightDate)
	must(t, err)
	sent(t, w, "email", "x2") // another signed message of the same patient and signer
	for _, change := range []string{
		"final_sealed = (SELECT final_sealed FROM messages WHERE id <> $1)",
		"final_mac = (SELECT final_mac FROM messages WHERE id <> $1)",
		"final_evidence = (SELECT final_evidence FROM messages WHERE id <> $1)",
		"final_mac = ''",
		"signer_id = (SELECT id FROM staff WHERE name = 'Dr Jonas Lindqvist' AND $1::uuid IS NOT NULL)",
		"signer_name = 'Dr Jonas Lindqvist'",
		"signer_role = 'reviewer'",
		"signed_at = signed_at + interval '1 second'",
	} {
		before := w.Strings(t, "SELECT to_jsonb(m)::text FROM messages m WHERE id = $1", message)[0]
		must(t, w.Exec(t, "UPDATE messages SET "+change+" WHERE id = $1", message))
		v, err := w.Clinic.PageRead(ctx, nobody, tokenOf(p), cookie)
		wantKind(t, err, clinic.Internal, change)
		if len(v.Paragraphs) != 0 {
			t.Errorf("%s: something is shown", change)
		}
		must(t, w.Exec(t, `UPDATE messages m SET final_sealed = x.final_sealed, final_mac = x.final_mac, final_evidence = x.final_evidence, signer_id = x.signer_id,
			signer_name = x.signer_name, signer_role = x.signer_role, signed_at = x.signed_at FROM jsonb_populate_record(NULL::messages, $2::jsonb) x WHERE m.id = $1`, message, before))
	}
	_, err = w.Clinic.PageRead(ctx, nobody, tokenOf(p), cookie)
	must(t, err)
}

// Even who holds the keys and the database cannot change a word unseen: the text opens, and its signature does not hold.
func TestSignatureDetectsResealedText(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := sent(t, w, "email", "x1")
	cookie, err := prove(w, tokenOf(p), rightDate)
	must(t, err)
	waiting := w.Approved(t, w.Patient, "email")
	for _, id := range []uuid.UUID{message, waiting} {
		must(t, w.Exec(t, "UPDATE messages SET final_sealed = $2 WHERE id = $1", id, []byte(w.Reseal(t, w.Patient, "messages", "final", id, "Dear Rosa Delgado, double it."))))
	}
	_, err = w.Clinic.PageRead(ctx, nobody, tokenOf(p), cookie)
	wantCode(t, err, "signature", "a changed text")
	if q, err := w.Clinic.DeliveryClaim(ctx, worker, deliveryOf(t, w, waiting)); q != nil || err != nil {
		t.Fatalf("the notice of a changed text was claimed: %v", err)
	}
	wantState(t, w, deliveryOf(t, w, waiting), "refused")
	// The same for the notice itself: another recipient, sealed as it should be.
	third := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	must(t, w.Exec(t, "UPDATE deliveries SET recipient_sealed = $2 WHERE id = $1", third, []byte(w.Reseal(t, w.Patient, "deliveries", "recipient", third, "thief@mail.example"))))
	if q, err := w.Clinic.DeliveryClaim(ctx, worker, third); q != nil || err != nil {
		t.Fatalf("a notice to somebody else was claimed: %v", err)
	}
	wantState(t, w, third, "refused")
	fourth := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	must(t, w.Exec(t, "UPDATE deliveries SET body_sealed = $2 WHERE id = $1", fourth, []byte(w.Reseal(t, w.Patient, "deliveries", "body", fourth, "Call this number: +1 900"))))
	if q, err := w.Clinic.DeliveryClaim(ctx, worker, fourth); q != nil || err != nil {
		t.Fatalf("a notice with other words was claimed: %v", err)
	}
}

func TestPageAcknowledgeOnce(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	cookie, err := prove(w, tokenOf(p), rightDate)
	must(t, err)
	for _, err := range together(3, func(int) error { return w.Clinic.PageAcknowledge(ctx, nobody, tokenOf(p), cookie) }) {
		must(t, err)
	}
	wantState(t, w, p.DeliveryID, "acknowledged")
	wantCount(t, w, 1, "acknowledgements on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'page.acknowledge' AND subject_kind = 'page'")
	v, err := w.Clinic.PageRead(ctx, nobody, tokenOf(p), cookie)
	must(t, err)
	if v.AcknowledgedAt == nil {
		t.Error("the page does not say that it was acknowledged")
	}
}

// The form before proof looks nothing up and changes nothing, in any table.
func TestPageAskHasNoEffect(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	sent(t, w, "email", "x1")
	before := everything(t, w)
	for range 3 {
		v, err := w.Clinic.PageAsk(ctx)
		must(t, err)
		if v.ClinicName != "Riverside Care Team" || len(v.Paragraphs) != 0 || v.SignerName != "" {
			t.Errorf("the form says %+v", v)
		}
	}
	if after := everything(t, w); after != before {
		t.Error("looking at the form changed a table")
	}
}

// everything is a fingerprint of every row of every table.
func everything(t *testing.T, w *clinictest.World) string {
	t.Helper()
	var b strings.Builder
	for _, table := range w.Strings(t, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") {
		b.WriteString(table + w.Strings(t, "SELECT coalesce(md5(string_agg(x::text, '' ORDER BY x::text)), '') FROM "+table+" x")[0])
	}
	return b.String()
}

// Whoever is signed in as staff in the same browser is not written down as the patient.
func TestPageForgetsTheStaffSession(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	_, err := w.Clinic.PageProve(ctx, w.Staff, tokenOf(p), rightDate)
	must(t, err)
	wantCount(t, w, 0, "staff ids beside the patient's acts", "SELECT count(*) FROM audit_events WHERE actor_kind = 'patient' AND actor_id IS NOT NULL")
}

func TestPageProveTakesItsTime(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t, func(c *clinic.Config) { c.Times.Proof = 250 * time.Millisecond })
	_, p := sent(t, w, "email", "x1")
	for token, date := range map[string]string{"no-such-token": rightDate, tokenOf(p): wrongDate} {
		start := time.Now()
		_, err := prove(w, token, date)
		wantRefusal(t, err, "a bad proof")
		if d := time.Since(start); d < 250*time.Millisecond {
			t.Errorf("answered after %s", d)
		}
	}
}
