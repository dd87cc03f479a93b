package road

import (
	"context"
	"strings"
	"testing"

	"countersign/internal/clinic"
)

// The screens beside the main road: each free of axe's findings in both schemes and of console errors.
func TestScreens(t *testing.T) {
	t.Parallel()
	h := open(t)
	rosa := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	message := h.submitted(rosa, "Ada Winter", "email")
	draft, err := h.app.Clinic().BriefCreate(context.Background(), h.actor("tom-reyes"), h.brief(rosa, "sms"))
	must(t, err)
	must(t, h.app.Clinic().DraftByHand(context.Background(), h.actor("tom-reyes"), draft))
	v, err := h.app.Clinic().DraftShow(context.Background(), h.actor("tom-reyes"), draft)
	must(t, err)
	_, err = h.app.Clinic().DraftEdit(context.Background(), h.actor("amara-osei"), draft, v.Message.Version, "Dear Ada Winter,\n\nAs an AI, I say: take XXX 900 mg.")
	must(t, err)

	staff, doctor := newBrowser(t, true), newBrowser(t, true)
	staff.signIn(h, "tom-reyes")
	for name, path := range map[string]string{"patient-new": "/patients/new", "patient-edit": "/patients/" + rosa.String() + "/edit",
		"brief-edit": "/briefs/" + draft.String() + "/edit", "draft-blocked": "/drafts/" + draft.String(), "diff": "/drafts/" + draft.String() + "/diff?from=1&to=2",
		"message-early": "/messages/" + draft.String(), "review-as-staff": "/reviews/" + message.String(), "reviews": "/reviews", "styleguide": "/styleguide",
		"sign-in-stale": "/sign-in?reason=stale&next=%2Freviews", "sign-in-ended": "/sign-in?reason=ended"} {
		staff.visit(h.web + path)
		staff.page(name)
	}
	doctor.signIn(h, "amara-osei")
	for name, path := range map[string]string{"settings": "/settings", "review-edit": "/reviews/" + message.String() + "?edit=1",
		"review-return": "/reviews/" + message.String() + "?return=1", "patients": "/patients"} {
		doctor.visit(h.web + path)
		doctor.page(name)
	}
	patient := newBrowser(t, true)
	patient.visit(h.web + "/m/" + strings.Repeat("x", 43) + "/stop")
	patient.page("page-stop")
	patient.click("form[method=post] button")
	patient.until("the answer", func() bool { return strings.Contains(patient.text("h1"), "Done") })
	patient.page("page-stopped")
}

// The queue board: styled, silent in the console under its own policy, and read-only for ops.
func TestQueueBoard(t *testing.T) {
	t.Parallel()
	h := open(t)
	ops := newBrowser(t, true)
	ops.signIn(h, "kenji-watts")
	ops.visit(h.web + "/ops/queues")
	ops.until("the board has drawn itself", func() bool {
		return strings.Contains(ops.text("body"), "Queues") && ops.count("header, nav, main, aside") > 0
	})
	ops.shot("board")
	if strings.Contains(ops.text("body"), "Send Feedback") {
		t.Error("the board sends its readers elsewhere")
	}
	if !h.actor("kenji-watts").Can(clinic.QueueView) || h.actor("kenji-watts").Can(clinic.QueueOperate) {
		t.Error("ops look at the board and do not operate it")
	}
}

// The status page: what an admin does to a channel is seen live by everybody who may look.
func TestStatus(t *testing.T) {
	t.Parallel()
	h := open(t)
	admin, ops := newBrowser(t, true), newBrowser(t, true)
	ops.signIn(h, "kenji-watts")
	ops.visit(h.web + "/status")
	ops.page("status")
	admin.signIn(h, "ruth-ebbing")
	admin.visit(h.web + "/status")
	admin.click("form[action='/breakers/sms/open'] button")
	for _, b := range []*browser{admin, ops} {
		b.until("the channel to be paused, without a reload", func() bool { return strings.Contains(b.text("#status-live"), "An administrator paused it.") })
	}
	admin.page("status-paused")
	if ops.has("form[action^='/breakers/']") {
		t.Error("operations may turn a channel")
	}
}

// The security score: real figures, a line for each thing that was looked at, and what to do where something is to be done.
func TestSecurityScore(t *testing.T) {
	t.Parallel()
	h := open(t)
	admin := newBrowser(t, true)
	admin.signIn(h, "ruth-ebbing")
	admin.visit(h.web + "/security")
	admin.page("security")
	for _, words := range []string{"The keyset is encrypted", "To do: Run countersign keys move", "it was answered 403", "nothing unsafe, and 'none' by default"} {
		if !strings.Contains(admin.text("main"), words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}
