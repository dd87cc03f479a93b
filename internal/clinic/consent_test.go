package clinic_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

var texter = clinic.ProviderActor("twilio", "192.0.2.2", "hook")

// text is an SMS that nobody sent before.
func text(from, words string) clinic.Reply {
	return clinic.Reply{ID: uuid.NewString(), From: from, Words: words}
}

func TestConsentReply(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	say := func(words ...string) {
		for _, s := range words {
			must(t, w.Clinic.ConsentReply(ctx, texter, text("+14155550441", s)))
		}
	}
	say("Thanks!", "HELP", "please stop calling me")
	wantCount(t, w, 0, "lines", "SELECT count(*) FROM consents")
	say("stop", "STOP", "Quit")
	say("start")
	say("Revoke")
	if got := w.Strings(t, "SELECT status || ' ' || source || ' ' || channel FROM consents ORDER BY id"); !slices.Equal(got, []string{"out sms sms", "out sms sms", "out sms sms", "in sms sms", "out sms sms"}) {
		t.Errorf("the ledger reads %q", got)
	}
	if !contact(t, w, "sms").OptedOut || contact(t, w, "email").OptedOut {
		t.Error("the number and only the number is opted out")
	}
	if err := w.Clinic.ConsentReply(ctx, w.Staff, text("+14155550441", "START")); clinic.KindOf(err) != clinic.Forbidden {
		t.Errorf("a person posed as the provider: %v", err)
	}
}

// A text that the provider tells a second time, after others, is the same text.
func TestConsentReplyToldAgain(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	start, stop := text("+14155550441", "START"), text("+14155550441", "STOP")
	for _, told := range []clinic.Reply{start, stop, start, stop, start} {
		must(t, w.Clinic.ConsentReply(ctx, texter, told))
	}
	if !contact(t, w, "sms").OptedOut {
		t.Error("a START told again took a STOP back")
	}
	wantCount(t, w, 2, "lines", "SELECT count(*) FROM consents")
	wantCount(t, w, 2, "events that changed something", "SELECT count(*) FROM audit_events WHERE deed = 'consent.reply' AND detail ? 'consent' AND clinic_id = $1", w.ClinicID)
}

// A number belongs to whoever holds it: every clinic that has it on file hears of it, also when it was replaced since.
func TestConsentReplyReachesEachClinic(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	_, err := n.Clinic.PatientCreate(ctx, n.Staff, clinic.PatientForm{Name: "Rosa D", BirthDate: "1967-05-30", MRN: "9", Language: "en", DoctorID: n.Doctor.ID, Phone: "+14155550441"})
	must(t, err)
	p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	f := formOf(p)
	f.Phone = "+14155550123"
	must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, f))
	must(t, w.Clinic.ConsentReply(ctx, texter, text("+14155550441", "STOP")))
	wantCount(t, w, 2, "clinics that wrote it down", "SELECT count(DISTINCT clinic_id) FROM consents WHERE status = 'out'")
	must(t, w.Clinic.ConsentReply(ctx, texter, text("+19999999999", "STOP")))
	wantCount(t, w, 2, "lines", "SELECT count(*) FROM consents")
}

func TestPageStop(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := sent(t, w, "email", "x1")
	must(t, w.Clinic.PageStop(ctx, nobody, "no-such-token", uuid.Nil)) // answers like any other
	wantCount(t, w, 0, "lines", "SELECT count(*) FROM consents")
	must(t, w.Clinic.PageStop(ctx, nobody, tokenOf(p), uuid.New())) // of no delivery of this message
	wantCount(t, w, 0, "lines", "SELECT count(*) FROM consents")
	must(t, w.Clinic.PageStop(ctx, nobody, tokenOf(p), p.DeliveryID))
	must(t, w.Clinic.PageStop(ctx, nobody, tokenOf(p), uuid.Nil)) // as the links of older mails
	wantCount(t, w, 1, "lines", "SELECT count(*) FROM consents WHERE status = 'out' AND source = 'one_click' AND channel = 'email'")
	if !contact(t, w, "email").OptedOut {
		t.Error("the address is not opted out")
	}
	if v, err := w.Clinic.MessageShow(ctx, w.Doctor, message); err != nil || v.OpenedAt != nil {
		t.Errorf("one click opened the message: %v", err)
	}
	next := ready(t, w, w.Brief(w.Patient, "email"))
	wantCode(t, w.Clinic.ReviewSubmit(ctx, w.Staff, next, version(t, w, next)), "opted_out", "the next message")
}

// Whoever got a mail by mistake stops that address. The one that is right by now goes on hearing.
func TestPageStopIsOfTheAddressThatGotTheMail(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, wrong := sent(t, w, "email", "x1")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("k1", "x1", "undelivered", w.Clock.Now())}))
	p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	f := formOf(p)
	f.Email = "rosa@right.example"
	must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, f))
	must(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)))
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
	right := claimed(t, w, message)
	for _, q := range []*clinic.Parcel{wrong, right} {
		if stop := "/m/" + tokenOf(q) + "/stop?d=" + q.DeliveryID.String(); !strings.HasSuffix(q.StopURL, stop) || !strings.HasSuffix(q.Body.Reveal(), stop+"\n") {
			t.Errorf("the mail to %s stops by %s", q.To.Reveal(), q.StopURL)
		}
	}
	must(t, w.Clinic.PageStop(ctx, nobody, tokenOf(right), wrong.DeliveryID))
	if contact(t, w, "email").OptedOut {
		t.Error("the address of now is opted out by the mail to another")
	}
	wantCount(t, w, 1, "addresses that are opted out", "SELECT count(*) FROM consents WHERE status = 'out'")
	must(t, w.Clinic.PageStop(ctx, nobody, tokenOf(right), right.DeliveryID))
	if !contact(t, w, "email").OptedOut {
		t.Error("the address of now is not opted out")
	}
}
