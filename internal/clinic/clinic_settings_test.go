package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// set changes the clinic's settings as an administrator.
func set(t *testing.T, w *clinictest.World, change func(*clinic.ClinicSettings)) {
	t.Helper()
	v, err := w.Clinic.ClinicShow(ctx, w.Admin)
	must(t, err)
	change(&v.Settings)
	must(t, w.Clinic.ClinicEdit(ctx, w.Admin, v.Settings))
}

func limit(s *clinic.ClinicSettings, r clinic.Role) *clinic.DraftLimit {
	for i := range s.Limits {
		if s.Limits[i].Role == r {
			return &s.Limits[i]
		}
	}
	return nil
}

// briefed is a message of Staff's with a brief and nothing else.
func briefed(t *testing.T, w *clinictest.World) (id [16]byte) {
	t.Helper()
	made, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	return made
}

// What is switched off is refused on the server with a sentence, and by hand always works.
func TestWhatAClinicSwitchesOff(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	asked, waiting, texted := briefed(t, w), briefed(t, w), w.Submitted(t, w.Patient, "sms")
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, waiting, ""))
	due := w.Dues()[len(w.Dues())-1].ID
	later := w.Submitted(t, w.Patient, "email")
	set(t, w, func(s *clinic.ClinicSettings) { s.Drafting, s.SMS, s.Later = false, false, false })

	wantCode(t, w.Clinic.DraftRequest(ctx, w.Staff, asked, ""), "drafting_off", "a draft by the model")
	must(t, w.Clinic.DraftByHand(ctx, w.Staff, asked))
	if as, err := w.Clinic.DraftClaim(ctx, worker, due); as != nil || err != nil {
		t.Errorf("what was asked for before goes to the model: %v, %v", as, err)
	}
	if v := w.Show(t, w.Staff, waiting); v.Request.State != "failed" || v.Request.Error != "This clinic has switched off drafting by the model." {
		t.Errorf("the request is %s: %s", v.Request.State, v.Request.Error)
	}

	f := w.Brief(w.Patient, "sms")
	_, err := w.Clinic.BriefCreate(ctx, w.Staff, f)
	if clinic.Fields(err)["channel"] == "" {
		t.Errorf("a brief for SMS: %v", err)
	}
	f = w.Brief(w.Patient, "email")
	f.SendAt = w.Clock.Now().AddDate(0, 0, 2).Format("2006-01-02T15:04")
	_, err = w.Clinic.BriefCreate(ctx, w.Staff, f)
	if clinic.Fields(err)["send_at"] == "" {
		t.Errorf("a brief with a time of its own: %v", err)
	}
	err = w.Clinic.MessageSchedule(ctx, w.Doctor, later, clinic.ScheduleForm{Version: w.Show(t, w.Doctor, later).Message.Version, SendAt: f.SendAt})
	if clinic.Fields(err)["send_at"] == "" {
		t.Errorf("a time for a message: %v", err)
	}
	w.Answer(t, w.Doctor, texted)
	wantCode(t, w.Clinic.ReviewApprove(ctx, w.Doctor, texted, w.Show(t, w.Doctor, texted).Message.Version, nil), "channel_off", "a signature for SMS")

	set(t, w, func(s *clinic.ClinicSettings) { s.Drafting, s.SMS, s.Later = true, true, true })
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, briefed(t, w), ""))
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, texted, w.Show(t, w.Doctor, texted).Message.Version, nil))
}

// The limits of a clinic are those that hold: drafts a day, and the day's stop.
func TestLimitsOfTheClinic(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	set(t, w, func(s *clinic.ClinicSettings) { limit(s, clinic.Staff).Drafts = 1 })
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, briefed(t, w), ""))
	wantCode(t, w.Clinic.DraftRequest(ctx, w.Staff, briefed(t, w), ""), "drafts_a_day", "one draft over the limit")
	set(t, w, func(s *clinic.ClinicSettings) {
		l := limit(s, clinic.Staff)
		l.Drafts, l.WarnDay, l.StopDay = 50, 10_000, 10_000
	})
	wantCode(t, w.Clinic.DraftRequest(ctx, w.Staff, briefed(t, w), ""), "budget", "a draft over the stop")
	set(t, w, func(s *clinic.ClinicSettings) { limit(s, clinic.Staff).StopDay = 4_000_000 })
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, briefed(t, w), ""))
}

// Of two administrators at once the later one is told; what is wrong is said beside its field and changes nothing; and what
// changed stands on the trail, of free text the name only.
func TestClinicEdit(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	old, err := w.Clinic.ClinicShow(ctx, w.Admin)
	must(t, err)
	if s := old.Settings; !s.Drafting || !s.Email || !s.SMS || !s.Later || len(s.Limits) != 3 || *limit(&s, clinic.Doctor) != (clinic.DraftLimit{clinic.Doctor, 100, 5_000_000, 100_000_000, 20_000_000}) {
		t.Errorf("a new clinic has %+v", s)
	}
	w.Clock.Add(time.Minute)
	set(t, w, func(s *clinic.ClinicSettings) { s.Phone, s.UndoSeconds = "+1 415 555 0188", 60 })
	wantCode(t, w.Clinic.ClinicEdit(ctx, w.Admin, func(s clinic.ClinicSettings) clinic.ClinicSettings { s.PageDays = 9; return s }(old.Settings)), "changed", "an older page")
	now, err := w.Clinic.ClinicShow(ctx, w.Admin)
	must(t, err)
	if len(now.History) != 1 || now.History[0].By != "Ruth Ebbing" || len(now.History[0].What) != 2 || now.History[0].What[0] != "phone number" || now.History[0].What[1] != "seconds to undo: 0 → 60" {
		t.Errorf("the history is %+v", now.History)
	}
	must(t, w.Clinic.ClinicEdit(ctx, w.Admin, now.Settings)) // nothing changed: no version, no event
	wantCount(t, w, 1, "changes on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'clinic.edit' AND outcome = 'done'")
	for field, wrong := range map[string]func(*clinic.ClinicSettings){
		"notice_name":    func(s *clinic.ClinicSettings) { s.NoticeName = "" },
		"phone":          func(s *clinic.ClinicSettings) { s.Phone = "call us" },
		"emergency_line": func(s *clinic.ClinicSettings) { s.EmergencyLine = "the police" },
		"zone":           func(s *clinic.ClinicSettings) { s.Zone = "Local" },
		"undo_seconds":   func(s *clinic.ClinicSettings) { s.UndoSeconds = 121 },
		"page_days":      func(s *clinic.ClinicSettings) { s.PageDays = 0 },
		"email":          func(s *clinic.ClinicSettings) { s.Email, s.SMS = false, false },
		"staff_drafts":   func(s *clinic.ClinicSettings) { limit(s, clinic.Staff).Drafts = 1001 },
		"doctor_warn_day": func(s *clinic.ClinicSettings) {
			limit(s, clinic.Doctor).WarnDay = -1
		},
		"doctor_stop_day":     func(s *clinic.ClinicSettings) { limit(s, clinic.Doctor).StopDay = 1_000_000 },
		"reviewer_warn_month": func(s *clinic.ClinicSettings) { limit(s, clinic.Reviewer).WarnMonth = 1_000_000 },
	} {
		s, err := w.Clinic.ClinicShow(ctx, w.Admin)
		must(t, err)
		wrong(&s.Settings)
		if err := w.Clinic.ClinicEdit(ctx, w.Admin, s.Settings); clinic.Fields(err)[field] == "" {
			t.Errorf("%s: %v %v", field, err, clinic.Fields(err))
		}
	}
	wantCount(t, w, 2, "the version", "SELECT version FROM clinics WHERE id = $1", w.ClinicID)
}
