package clinic_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// The whole road through the domain, by either channel: brief, the model's draft, review, signature, notice, page.
func TestRoad(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"email", "sms"} {
		t.Run(channel, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, channel))
			must(t, err)
			must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
			as, err := w.Clinic.DraftClaim(ctx, worker, w.Dues()[0].ID)
			must(t, err)
			must(t, w.Clinic.DraftFinish(ctx, worker, as, answered(letterSentences...)))
			must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
			w.Answer(t, w.Doctor, id)
			must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil))
			due := w.Dues()[1]
			if due.Deed != clinic.DeliverySend || due.ID != deliveryOf(t, w, id) {
				t.Fatalf("with no undo window approve nudges the queue at once, got %+v", due)
			}
			p := claimed(t, w, id)
			link := checkNotice(t, p)
			must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x1"}))
			must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e1", "x1", "delivered", time.Now())}))
			read(t, w, link)
			wantSteps(t, w, id)
		})
	}
}

// checkNotice: the notice says where to read and nothing else. It returns the page's token.
func checkNotice(t *testing.T, p *clinic.Parcel) string {
	t.Helper()
	body := p.Body.Reveal()
	for _, word := range []string{"Rosa", "Delgado", "losartan", "cough", "Osei", "blood"} {
		if strings.Contains(body+p.Subject, word) {
			t.Errorf("the notice says %q", word)
		}
	}
	i := strings.Index(body, "http://localhost:8080/m/")
	link, _, _ := strings.Cut(body[i:], "\n")
	link, _, _ = strings.Cut(link, " ")
	u, err := url.Parse(link)
	must(t, err)
	if p.Channel == "sms" && (!strings.HasSuffix(body, "Reply STOP to opt out") || p.StopURL != "" || p.To.Reveal() != "+14155550441") {
		t.Errorf("sms: %q to %q stop %q", body, p.To.Reveal(), p.StopURL)
	}
	if p.Channel == "email" && (p.StopURL != link+"/stop?d="+p.DeliveryID.String() || p.To.Reveal() != "p20441@mail.example") {
		t.Errorf("e-mail: stop %q to %q", p.StopURL, p.To.Reveal())
	}
	return strings.TrimPrefix(u.Path, "/m/")
}

func read(t *testing.T, w *clinictest.World, token string) {
	t.Helper()
	cookie, err := w.Clinic.PageProve(ctx, nobody, token, "1967-05-30")
	must(t, err)
	page, err := w.Clinic.PageRead(ctx, nobody, token, cookie)
	must(t, err)
	text := ""
	for _, p := range page.Paragraphs {
		text += p.Reveal() + "\n\n"
	}
	if !strings.Contains(text, "Start losartan 50 mg once a day tomorrow.") || !strings.HasSuffix(text, "Kind regards,\nDr Amara Osei\n\n") {
		t.Errorf("the patient reads %q", text)
	}
	if page.SignerName != "Dr Amara Osei" || page.SignerRole != "doctor" {
		t.Errorf("signed by %q, %q", page.SignerName, page.SignerRole)
	}
	must(t, w.Clinic.PageAcknowledge(ctx, nobody, token, cookie))
}

func wantSteps(t *testing.T, w *clinictest.World, id uuid.UUID) {
	t.Helper()
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, id)
	must(t, err)
	states := []string{}
	for _, s := range v.Steps {
		if s.State != "" {
			states = append(states, s.State)
		}
	}
	if got := strings.Join(states, " "); got != "approved queued sending accepted delivered opened acknowledged" {
		t.Errorf("the timeline says %q", got)
	}
	if v.OpenedAt == nil || v.AcknowledgedAt == nil {
		t.Error("the doctor does not see that it was opened and acknowledged")
	}
}
