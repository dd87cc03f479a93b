package clinic_test

import (
	"strings"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestReviewApproveTwoDoctorsAtOnce(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, w.Doctor2.ID))
	doctors := []clinic.Actor{w.Doctor, w.Doctor2}
	for round := range 5 {
		id := w.Submitted(t, w.Patient, "email")
		w.Answer(t, w.Doctor, id)
		w.Answer(t, w.Doctor2, id)
		v := version(t, w, id)
		errs := together(2, func(i int) error { return w.Clinic.ReviewApprove(ctx, doctors[i], id, v, nil) })
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		must(t, errs[winner])
		wantKind(t, errs[1-winner], clinic.Conflict, "the slower doctor")
		sentence := clinic.Sentence(errs[1-winner])
		if !strings.HasPrefix(sentence, doctors[winner].Name+" changed this message at ") || !strings.Contains(sentence, "it is approved") {
			t.Errorf("round %d: the slower doctor reads %q", round, sentence)
		}
		wantCount(t, w, 1, "deliveries", "SELECT count(*) FROM deliveries WHERE message_id = $1", id)
		wantCount(t, w, 1, "approvals on the trail", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND deed = 'review.approve' AND outcome = 'done'", id)
		wantCount(t, w, 1, "approved reviews", "SELECT count(*) FROM reviews WHERE message_id = $1 AND state = 'approved'", id)
	}
}

func TestReviewConflicts(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := w.Submitted(t, w.Patient, "email")
	w.Answer(t, w.Doctor, id)
	old := version(t, w, id)
	edited, err := w.Clinic.DraftEdit(ctx, w.Doctor, id, old, clinictest.Letter+"\n\nRest well.")
	must(t, err)
	if edited.Message.Status != "in_review" {
		t.Fatalf("an edit in review makes the message %s", edited.Message.Status)
	}
	for name, err := range map[string]error{
		"approve":  w.Clinic.ReviewApprove(ctx, w.Doctor, id, old, nil),
		"return":   w.Clinic.ReviewReturn(ctx, w.Reviewer, id, old, "No."),
		"recall":   w.Clinic.ReviewRecall(ctx, w.Staff, id, old),
		"withdraw": w.Clinic.MessageWithdraw(ctx, w.Doctor, id, old),
		"submit":   w.Clinic.ReviewSubmit(ctx, w.Staff, id, old),
	} {
		wantCode(t, err, "moved_on", name+" of a stale version")
		who := "Dr Amara Osei changed"
		if name == "approve" || name == "withdraw" { // her own doing, in another tab
			who = "In another tab or on another device, you changed"
		}
		if !strings.HasPrefix(clinic.Sentence(err), who) {
			t.Errorf("%s: %q", name, clinic.Sentence(err))
		}
	}
	wantCount(t, w, 0, "effects of stale deeds", "SELECT count(*) FROM reviews WHERE message_id = $1 AND state <> 'open'", id)
}

func TestReviewSubmitAndRecallAndReturn(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	wantCode(t, w.Clinic.ReviewSubmit(ctx, w.Staff2, id, version(t, w, id)), "own", "a colleague submits")
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	_, err := w.Clinic.DraftEdit(ctx, w.Staff, id, version(t, w, id), "Dear Rosa Delgado,\n\nSneaked in.")
	wantKind(t, err, clinic.Conflict, "staff edit during the review")
	wantCode(t, w.Clinic.ReviewRecall(ctx, w.Staff2, id, version(t, w, id)), "own", "a colleague recalls")
	must(t, w.Clinic.ReviewRecall(ctx, w.Staff, id, version(t, w, id)))
	must(t, w.Clinic.ReviewSubmit(ctx, w.Doctor, id, version(t, w, id))) // the doctor it names may, too
	for _, note := range []string{"", "   ", strings.Repeat("x", 2001)} {
		err := w.Clinic.ReviewReturn(ctx, w.Reviewer, id, version(t, w, id), note)
		wantKind(t, err, clinic.Invalid, "a note of bad length")
		if clinic.Fields(err)["note"] == "" {
			t.Error("nothing is said beside the note")
		}
	}
	must(t, w.Clinic.ReviewReturn(ctx, w.Reviewer, id, version(t, w, id), "Please add the follow-up date."))
	v := w.Show(t, w.Staff, id)
	if v.Message.Status != "returned" || v.ReturnedBy != "Helen Marsh" || v.ReturnNote.Reveal() != "Please add the follow-up date." {
		t.Errorf("staff see %s by %s", v.Message.Status, v.ReturnedBy)
	}
	_, err = w.Clinic.DraftEdit(ctx, w.Staff, id, v.Message.Version, clinictest.Letter+"\n\nSee you soon.")
	must(t, err)
	if got := w.Show(t, w.Staff, id).Message.Status; got != "draft_ready" {
		t.Errorf("a reworked draft is %s", got)
	}
}

func TestReviewSubmitRefusesWhatCannotGo(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	_, err := w.Clinic.DraftEdit(ctx, w.Staff, id, version(t, w, id), clinictest.Letter+"\n\nYour appointment is on [date].")
	must(t, err)
	wantCode(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)), "blocked", "a placeholder")
	if got := w.Show(t, w.Staff, id).Message.Status; got != "draft_ready" {
		t.Fatalf("a blocked message is %s", got)
	}

	must(t, w.Clinic.ConsentReply(ctx, clinic.ProviderActor("twilio", "", ""), text("+14155550441", "STOP")))
	sms := ready(t, w, w.Brief(w.Patient, "sms"))
	wantCode(t, w.Clinic.ReviewSubmit(ctx, w.Staff, sms, version(t, w, sms)), "opted_out", "an opted-out number")
	must(t, w.Clinic.ConsentReply(ctx, clinic.ProviderActor("twilio", "", ""), text("+14155550441", "start")))
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, sms, version(t, w, sms)))
	must(t, w.Clinic.ConsentReply(ctx, clinic.ProviderActor("twilio", "", ""), text("+14155550441", " stop. ")))
	w.Answer(t, w.Doctor, sms)
	wantCode(t, w.Clinic.ReviewApprove(ctx, w.Doctor, sms, version(t, w, sms), nil), "opted_out", "opted out since")
	wantCount(t, w, 0, "deliveries", "SELECT count(*) FROM deliveries")

	p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	f := formOf(p)
	f.Phone = ""
	must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, f))
	none := ready(t, w, w.Brief(w.Patient, "sms"))
	wantCode(t, w.Clinic.ReviewSubmit(ctx, w.Staff, none, version(t, w, none)), "no_contact", "no number on file")
}

func TestReviewApproveNeedsEachAnswerOfTheSigner(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := w.Submitted(t, w.Patient, "email")
	text := clinictest.Letter + "\n\nTake 75 mg of it. You will always be completely fine."
	_, err := w.Clinic.DraftEdit(ctx, w.Doctor, id, version(t, w, id), text)
	must(t, err)
	w.Answer(t, w.Staff, id) // somebody else's answers are not the signer's
	open := w.Show(t, w.Doctor, id)
	if open.Open < 2 {
		t.Fatalf("the text should raise at least two findings, it raises %d", open.Open)
	}
	wantCode(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil), "findings", "nothing answered")
	last := ""
	for _, f := range open.Findings {
		if f.Level == "ask" && last != "" {
			must(t, w.Clinic.FindingAnswer(ctx, w.Doctor, id, last))
			wantCode(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil), "findings", "one unanswered")
		}
		if f.Level == "ask" {
			last = f.Key
		}
	}
	wantCode(t, w.Clinic.FindingAnswer(ctx, w.Doctor, id, "no-such-key"), "finding_gone", "an unknown finding")
	must(t, w.Clinic.FindingAnswer(ctx, w.Doctor, id, last))
	must(t, w.Clinic.FindingAnswer(ctx, w.Doctor, id, last)) // twice is once
	wantCount(t, w, 1, "answers to one finding", "SELECT count(*) FROM audit_events WHERE deed = 'finding.answer' AND actor_id = $1 AND detail->>'key' = $2", w.Doctor.ID, last)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil))
	wantKind(t, w.Clinic.FindingAnswer(ctx, w.Doctor, id, last), clinic.Conflict, "an answer after signing")
}

// What the settings ask now can be answered and signed: the doctor who changes them is not locked out of old drafts.
func TestReviewAsksByTheSettingsOfNow(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := w.Submitted(t, w.Patient, "email")
	_, err := w.Clinic.DraftEdit(ctx, w.Doctor, id, version(t, w, id), clinictest.Letter+"\n\nWe hope that you will sleep well again soon. We are here for you if you need us.")
	must(t, err)
	w.Answer(t, w.Doctor, id)
	must(t, w.Clinic.SettingsEdit(ctx, w.Doctor, clinic.Settings{Tone: "warm", ReadingLevel: "elementary", Specialty: "Cardiology", SignOff: "Warm regards,\nDr Osei", MaxWords: 50}))
	if w.Show(t, w.Doctor, id).Open == 0 {
		t.Fatal("the letter is longer than 50 words and nothing is asked")
	}
	wantCode(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil), "findings", "over the new limit")
	w.Answer(t, w.Doctor, id)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil))
}

func TestReviewApproveWithEditsSealsTheSignersOwnWords(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, w.Doctor2.ID))
	must(t, w.Clinic.SettingsEdit(ctx, w.Doctor2, clinic.Settings{Tone: "warm", ReadingLevel: "elementary", Specialty: "Cardiology", SignOff: "All the best,\nJonas Lindqvist", MaxWords: 200}))
	id := w.Submitted(t, w.Patient, "email")
	w.Answer(t, w.Doctor2, id)
	text := strings.Replace(clinictest.Letter, "Thank you for telling us", "Thank you very much for telling us", 1)
	bad := text + " [name]"
	wantCode(t, w.Clinic.ReviewApprove(ctx, w.Doctor2, id, version(t, w, id), &bad), "blocked", "an edit with a placeholder")
	if strings.Contains(w.Show(t, w.Doctor2, id).Text.Reveal(), "[name]") {
		t.Error("the refused edit was kept")
	}
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor2, id, version(t, w, id), &text))
	v, err := w.Clinic.MessageShow(ctx, w.Staff, id)
	must(t, err)
	if v.Final.Reveal() != text+"\n\nAll the best,\nJonas Lindqvist" {
		t.Errorf("signed was %q", v.Final.Reveal())
	}
	if v.Message.SignerName != "Dr Jonas Lindqvist" || v.Message.SignerRole != "doctor" {
		t.Errorf("signed by %s, %s", v.Message.SignerName, v.Message.SignerRole)
	}
	wantCount(t, w, 2, "versions, the signer's own among them", "SELECT count(*) FROM drafts WHERE message_id = $1", id)
}
