package clinic_test

import (
	"strings"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	v, err := w.Clinic.SettingsShow(ctx, w.Doctor, w.Doctor.ID)
	must(t, err)
	if v.Settings.SignOff != "Kind regards,\nDr Amara Osei" || v.Settings.Version != 0 || v.Settings.MaxWords != 150 {
		t.Errorf("a doctor begins with %+v", v.Settings)
	}
	s := v.Settings
	s.Tone, s.SignOff = "concise", "Warm regards,\nDr Osei"
	must(t, w.Clinic.SettingsEdit(ctx, w.Doctor, s))
	wantKind(t, w.Clinic.SettingsEdit(ctx, w.Doctor, s), clinic.Conflict, "the same form again")
	s.Version = 7
	wantKind(t, w.Clinic.SettingsEdit(ctx, w.Doctor, s), clinic.Conflict, "a version that is not there")
	s.Version = 1
	errs := together(3, func(int) error { return w.Clinic.SettingsEdit(ctx, w.Doctor, s) })
	saved := 0
	for _, err := range errs {
		if err == nil {
			saved++
			continue
		}
		wantKind(t, err, clinic.Conflict, "settings saved at once")
	}
	v, err = w.Clinic.SettingsShow(ctx, w.Doctor, w.Doctor.ID)
	must(t, err)
	if saved != 1 || len(v.History) != 2 || v.Settings.Version != 2 || v.Settings.Tone != "concise" {
		t.Errorf("saved %d times, %d in the history, now %+v", saved, len(v.History), v.Settings)
	}
	for field, spoil := range map[string]func(*clinic.Settings){
		"tone":          func(s *clinic.Settings) { s.Tone = "rude" },
		"reading_level": func(s *clinic.Settings) { s.ReadingLevel = "" },
		"specialty":     func(s *clinic.Settings) { s.Specialty = " " },
		"sign_off":      func(s *clinic.Settings) { s.SignOff = "Bye" },
		"max_words":     func(s *clinic.Settings) { s.MaxWords = 49 },
	} {
		s := v.Settings
		spoil(&s)
		if err := w.Clinic.SettingsEdit(ctx, w.Doctor, s); clinic.KindOf(err) != clinic.Invalid || clinic.Fields(err)[field] == "" {
			t.Errorf("%s: %v %v", field, err, clinic.Fields(err))
		}
	}
	other, err := w.Clinic.SettingsShow(ctx, w.Doctor2, w.Doctor2.ID)
	must(t, err)
	if other.Settings.Tone != "warm" {
		t.Error("one doctor's settings are another's")
	}
}

// The settings are in what the model is asked, and in the preview that promises so.
func TestSettingsReachTheModel(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	s := clinic.Settings{Tone: "empathetic", ReadingLevel: "high", Specialty: "Neurology", SignOff: "Warm regards,\nDr Osei", MaxWords: 90}
	must(t, w.Clinic.SettingsEdit(ctx, w.Doctor, s))
	_, request := asked(t, w)
	got := assigned(t, w, request).Prompt.Settings
	preview := clinic.PreviewSettings(s)
	for _, line := range append([]string{"Tone: empathetic", "Maximum words: 90", "Specialty: Neurology"}, preview.Lines...) {
		if !strings.Contains(got, line) {
			t.Errorf("the model is not told %q", line)
		}
	}
	if preview.Goal != 11 || len(preview.Lines) < 5 {
		t.Errorf("the preview is %+v", preview)
	}
}
