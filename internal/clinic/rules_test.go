package clinic_test

import (
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// adminLetter says nothing clinical.
const adminLetter = "Dear Rosa Delgado,\n\nOur front desk has moved to the second floor. Please use the lift by the main door.\n\nCall the clinic if you have questions."

func adminBrief(w *clinictest.World) clinic.BriefForm {
	return clinic.BriefForm{PatientID: w.Patient, DoctorID: w.Doctor.ID, Inquiry: "Where is the front desk now?",
		Points: []string{"The front desk has moved to the second floor", "Use the lift by the main door"}, Priority: "normal", Kind: "administrative", Channel: "email"}
}

// Who may sign what: a reviewer signs administrative messages of others, a doctor signs anything, their own too.
func TestReviewApproveRules(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		author func(*clinictest.World) clinic.Actor
		signer func(*clinictest.World) clinic.Actor
		brief  func(*clinictest.World) clinic.BriefForm
		text   string
		code   string
	}{
		"reviewer, administrative":             {staff, reviewer, adminBrief, adminLetter, ""},
		"reviewer, clinical":                   {staff, reviewer, clinical, clinictest.Letter, "needs_doctor"},
		"reviewer, administrative with a fact": {staff, reviewer, adminWithFact, adminLetter, "needs_doctor"},
		"reviewer, administrative with a dose": {staff, reviewer, adminBrief, adminLetter + "\n\nTake 20 mg at night.", "needs_doctor"},
		"reviewer, own submission":             {reviewer, reviewer, adminBrief, adminLetter, "own"},
		"doctor, own submission":               {doctor, doctor, clinical, clinictest.Letter, ""},
		"doctor, administrative with a fact":   {staff, doctor, adminWithFact, adminLetter, ""},
		"staff":                                {staff, staff, adminBrief, adminLetter, "role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			author, signer := tc.author(w), tc.signer(w)
			id, err := w.Clinic.BriefCreate(ctx, author, tc.brief(w))
			must(t, err)
			must(t, w.Clinic.DraftByHand(ctx, author, id))
			_, err = w.Clinic.DraftEdit(ctx, author, id, version(t, w, id), tc.text)
			must(t, err)
			must(t, w.Clinic.ReviewSubmit(ctx, author, id, version(t, w, id)))
			w.Answer(t, signer, id)
			if v, err := w.Clinic.ReviewShow(ctx, signer, id); err != nil || v.CanApprove != (tc.code == "") {
				t.Errorf("the panel says CanApprove %v %q %v", v.CanApprove, v.CannotApproveWhy, err)
			}
			err = w.Clinic.ReviewApprove(ctx, signer, id, version(t, w, id), nil)
			if tc.code == "" {
				must(t, err)
				return
			}
			wantCode(t, err, tc.code, name)
			wantKind(t, err, clinic.Forbidden, name)
			wantCount(t, w, 1, "the refusal on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'review.approve' AND outcome = 'refused' AND reason = $1 AND actor_id = $2", tc.code, signer.ID)
			wantCount(t, w, 0, "deliveries", "SELECT count(*) FROM deliveries")
		})
	}
}

func staff(w *clinictest.World) clinic.Actor        { return w.Staff }
func reviewer(w *clinictest.World) clinic.Actor     { return w.Reviewer }
func doctor(w *clinictest.World) clinic.Actor       { return w.Doctor }
func clinical(w *clinictest.World) clinic.BriefForm { return w.Brief(w.Patient, "email") }
func adminWithFact(w *clinictest.World) clinic.BriefForm {
	f := adminBrief(w)
	f.Facts = []clinic.FactForm{{Kind: "instruction", Text: "use the lift"}}
	return f
}

func TestReviewQueueKnowsItsNeighbours(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	first, second, third := w.Submitted(t, w.Patient, "email"), w.Submitted(t, w.Patient, "email"), w.Submitted(t, w.Patient, "sms")
	v, err := w.Clinic.ReviewShow(ctx, w.Doctor, second)
	must(t, err)
	h := v.Message
	if h.Position != 2 || h.Of != 3 || h.PreviousID == nil || *h.PreviousID != first || h.NextID == nil || *h.NextID != third {
		t.Errorf("the second of three stands at %d of %d", h.Position, h.Of)
	}
	list, err := w.Clinic.ReviewList(ctx, w.Doctor, "")
	must(t, err)
	if len(list.Rows) != 3 || list.Waiting != 3 || list.Rows[0].ID != first {
		t.Errorf("the list has %d rows of %d", len(list.Rows), list.Waiting)
	}
}
