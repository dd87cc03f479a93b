package clinic_test

import (
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Every method that is done to one patient's records, with the right role but from outside the care team and from
// another clinic: NotFound, a refusal on the trail, and nothing changed.
func TestScope(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	x := things{patient: w.Patient, message: w.Submitted(t, w.Patient, "email"), doctor: n.Doctor.ID}
	x.version, x.delivery = version(t, w, x.message), deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	before := records(t, w)
	for name, a := range map[string]clinic.Actor{"another team": w.Doctor2, "another clinic": n.Doctor} {
		for _, act := range acts(w) {
			if !act.scoped {
				continue
			}
			refused := refusals(t, w)
			err := act.do(w.Clinic, a, x)
			if clinic.KindOf(err) != clinic.NotFound || clinic.Code(err) != "not_found" {
				t.Errorf("%s from %s: %v", act.method, name, err)
			}
			if got := refusals(t, w); got != refused+1 {
				t.Errorf("%s from %s left %d refusals", act.method, name, got-refused)
			}
			if name == "another clinic" && w.Count(t, "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND clinic_id = $1", n.ClinicID) == 0 {
				t.Errorf("%s: the refusal is not on the intruder's clinic's trail", act.method)
			}
		}
		if mayWatch(t, w, a, x.message) {
			t.Errorf("%s may watch", name)
		}
	}
	if after := records(t, w); after != before {
		t.Errorf("an outsider changed records: %s, was %s", after, before)
	}
}

// records is a fingerprint of what the deeds of people write.
func records(t testing.TB, w *clinictest.World) string {
	t.Helper()
	return w.Strings(t, `SELECT concat_ws('|', (SELECT count(*) FROM patients), (SELECT md5(string_agg(p::text, '' ORDER BY id)) FROM patients p),
		(SELECT md5(string_agg(m::text, '' ORDER BY id)) FROM messages m), (SELECT count(*) FROM briefs), (SELECT md5(string_agg(d::text, '' ORDER BY id)) FROM drafts d),
		(SELECT count(*) FROM draft_requests), (SELECT count(*) FROM acknowledgements), (SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM reviews r),
		(SELECT count(*) FROM deliveries), (SELECT count(*) FROM contacts), (SELECT count(*) FROM care_team))`)[0]
}

// Lists hold only one's own: the neighbours' patients and messages are in none of them.
func TestScopeOfLists(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	w.Submitted(t, w.Patient, "email")
	w.Approved(t, w.Patient, "email")
	for name, a := range map[string]clinic.Actor{"another team": w.Doctor2, "another clinic": n.Doctor} {
		list, err := w.Clinic.PatientList(ctx, a, "")
		must(t, err)
		found, err := w.Clinic.PatientSearch(ctx, a, "20441", true)
		must(t, err)
		work, err := w.Clinic.WorklistShow(ctx, a, "")
		must(t, err)
		reviews, err := w.Clinic.ReviewList(ctx, a, "")
		must(t, err)
		all, err := w.Clinic.DeliveryList(ctx, a, clinic.DeliveryFilter{Show: "way"})
		must(t, err)
		shown, err := w.Clinic.DeliveryPreview(ctx, a, nil, clinic.DeliveryFilter{Show: "way"})
		must(t, err)
		if len(all.Rows)+len(shown.Rows)+all.Counts["way"] != 0 {
			t.Errorf("%s sees %d deliveries, counts %d and may send %d once more", name, len(all.Rows), all.Counts["way"], len(shown.Rows))
		}
		for _, p := range list.Rows {
			if p.ID == w.Patient {
				t.Errorf("%s lists the patient", name)
			}
		}
		if len(found.Rows)+len(work.Rows)+len(reviews.Rows) != 0 {
			t.Errorf("%s finds %d, works on %d, reviews %d", name, len(found.Rows), len(work.Rows), len(reviews.Rows))
		}
	}
}

// An id that another clinic or team already uses is not there for the outsider, and takes nothing over.
func TestScopeOfIDsFromForms(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	message := w.Submitted(t, w.Patient, "email")
	_, err := w.Clinic.PatientCreate(ctx, w.Doctor2, clinic.PatientForm{ID: w.Patient, Name: "Ada Brook", BirthDate: "1980-02-03", MRN: "777", Language: "en"})
	wantKind(t, err, clinic.NotFound, "a patient's id of another team")
	own := w.AddPatient(t, w.Doctor, "Uma Field", "1990-04-05", "31313")
	f := w.Brief(own, "email")
	f.ID = message
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, own, w.Doctor2.ID))
	_, err = w.Clinic.BriefCreate(ctx, w.Doctor2, f)
	wantKind(t, err, clinic.NotFound, "a message's id of another team")

	// In another clinic the same id is another row.
	f = n.Brief(n.Patient, "email")
	f.ID = message
	_, err = n.Clinic.BriefCreate(ctx, n.Staff, f)
	must(t, err)
	if v := w.Show(t, w.Doctor, message); v.Message.PatientID != w.Patient {
		t.Error("the neighbours' message stands in the place of ours")
	}
	_, err = w.Clinic.PatientCreate(ctx, w.Staff, clinic.PatientForm{Name: "Ada Brook", BirthDate: "1980-02-03", MRN: "778", Language: "en", DoctorID: n.Doctor.ID})
	wantKind(t, err, clinic.Invalid, "a doctor of another clinic")
	if err := w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, n.Doctor.ID); err == nil {
		t.Error("a person of another clinic joined the care team")
	}
}

// A disabled person has no session any more; a person whose role was taken has one with no deeds.
func TestScopeOfDisabledPeople(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	who := person(w.Staff)
	cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
	must(t, err)
	must(t, w.Exec(t, "UPDATE staff SET role = NULL WHERE id = $1", w.Staff.ID))
	a, err := w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	must(t, err)
	_, err = w.Clinic.PatientShow(ctx, a, w.Patient)
	wantKind(t, err, clinic.Forbidden, "without a role")
	must(t, w.Exec(t, "UPDATE staff SET disabled_at = now() WHERE id = $1", w.Staff.ID))
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	wantCode(t, err, "ended", "a disabled person")
	who.TokenHash[0]++
	_, _, err = w.Clinic.SessionOpen(ctx, nobody, who, "")
	wantCode(t, err, "disabled", "signing in when disabled")
	wantCount(t, w, 1, "the refusal on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'session.open' AND reason = 'disabled' AND actor_id = $1", w.Staff.ID)
}
