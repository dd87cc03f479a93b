package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Each week has one review, however often and by how many it is asked for; it says what a reader should not pass over.
func TestAccessReview(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	if made, err := w.Clinic.AccessMake(ctx, worker); made != 0 || err != nil {
		t.Fatalf("a clinic of today has a week behind it: %d %v", made, err)
	}
	_, err := w.Clinic.GlassBreak(ctx, w.Doctor2, clinic.GlassForm{MRN: "20441", Reason: "Collapsed in the waiting room."})
	must(t, err)
	_, err = w.Clinic.PatientShow(ctx, w.Ops, w.Patient)
	wantKind(t, err, clinic.Forbidden, "operations")
	must(t, w.Clinic.AuditExport(ctx, w.Auditor, clinic.AuditFilter{}, "csv", &counted{}))
	must(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Staff2.ID, clinic.Reviewer))
	w.Clock.Add(7*24*time.Hour + time.Minute) // whatever day it is: the last whole week holds what was done now
	for i, want := range []int{1, 0} {
		if made, err := w.Clinic.AccessMake(ctx, worker); made != want || err != nil {
			t.Fatalf("the %d. time: %d %v", i+1, made, err)
		}
	}
	page, err := w.Clinic.AccessList(ctx, w.Admin, "")
	must(t, err)
	if len(page.Rows) != 1 || page.Rows[0].SignedAt != nil || page.Rows[0].Overdue {
		t.Fatalf("%+v", page)
	}
	r, err := w.Clinic.AccessShow(ctx, w.Admin, page.Rows[0].ID)
	must(t, err)
	if local := r.Since.In(chicago(t)); local.Weekday() != time.Monday || local.Hour() != 0 || r.Until.After(w.Clock.Now()) || w.Clock.Now().Sub(r.Until) > 7*24*time.Hour {
		t.Errorf("the week is %s to %s", r.Since, r.Until)
	}
	facts := r.Facts
	of := map[string]clinic.AccessPerson{}
	for _, p := range facts.People {
		of[p.Name] = p
	}
	if of["Dr Jonas Lindqvist"].Glass != 1 || of["Kenji Watts"].Refused != 1 || of["Victor Sandoval"].Exports != 1 || of["Tom Reyes"].Patients != 1 {
		t.Errorf("%+v", facts.People)
	}
	given := false
	for _, ch := range facts.Changes {
		given = given || ch.Deed == clinic.StaffAssign && ch.Whom == "Priya Nair" && ch.Role == "reviewer" && ch.Before == "staff" && ch.ByName == "Ruth Ebbing"
	}
	if !given {
		t.Errorf("the changed role is not there: %+v", facts.Changes)
	}
	if b := banners(t, w, w.Admin); b.AccessWaiting != 1 || b.AccessOverdue {
		t.Errorf("%d wait, overdue %v", b.AccessWaiting, b.AccessOverdue)
	}
	if b := banners(t, w, w.Doctor); b.AccessWaiting != 0 {
		t.Errorf("a doctor is told of %d", b.AccessWaiting)
	}
}

// An administrator signs a review off, once, with a note; until then it gets overdue.
func TestAccessSign(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Clock.Add(8 * 24 * time.Hour)
	_, err := w.Clinic.AccessMake(ctx, worker)
	must(t, err)
	page, err := w.Clinic.AccessList(ctx, w.Admin, "")
	must(t, err)
	id := page.Rows[0].ID
	w.Clock.Add(8 * 24 * time.Hour)
	if !banners(t, w, w.Admin).AccessOverdue {
		t.Error("after eight days it is not overdue")
	}
	err = w.Clinic.AccessSign(ctx, w.Admin, id, "  ")
	wantKind(t, err, clinic.Invalid, "without a note")
	must(t, w.Clinic.AccessSign(ctx, w.Admin, id, "All known. Lee’s account is switched off."))
	err = w.Clinic.AccessSign(ctx, w.Admin, id, "Again.")
	wantCode(t, err, "signed", "a second time")
	r, err := w.Clinic.AccessShow(ctx, w.Admin, id)
	must(t, err)
	if r.SignedBy != "Ruth Ebbing" || r.SignedAt == nil || r.Overdue || r.Note != "All known. Lee’s account is switched off." {
		t.Errorf("%+v", r)
	}
	wantCount(t, w, 1, "the signature on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'access.sign' AND outcome = 'done' AND subject_id = $1 AND actor_id = $2", id, w.Admin.ID)
	wantCount(t, w, 0, "the note on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'access.sign' AND detail::text LIKE '%Lee%'")
	near := w.Neighbour(t)
	_, err = near.Clinic.AccessShow(ctx, near.Admin, id)
	wantKind(t, err, clinic.NotFound, "next door")
	err = near.Clinic.AccessSign(ctx, near.Admin, id, "Mine.")
	wantKind(t, err, clinic.NotFound, "next door")
}
