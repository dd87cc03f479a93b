package clinic

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
	"countersign/internal/drafting"
)

// Settings are how a doctor wants drafts to be.
type Settings struct {
	Tone, ReadingLevel, Specialty, SignOff string
	MaxWords                               int
	Version                                int
}

// The choices of the settings form.
var (
	Tones         = []string{"professional", "warm", "empathetic", "concise"}
	ReadingLevels = []string{"elementary", "middle", "high", "college"}
	Specialties   = []string{"General practice", "Internal medicine", "Cardiology", "Dermatology", "Endocrinology", "Gastroenterology",
		"Neurology", "Obstetrics and gynaecology", "Oncology", "Orthopaedics", "Paediatrics", "Psychiatry", "Pulmonology", "Urology"}
)

// gradeOf is the school grade a reading level aims at.
var gradeOf = map[string]float64{"elementary": 6, "middle": 8, "high": 11, "college": 14}

// SettingsVersion is one line of the history.
type SettingsVersion struct {
	Settings
	At time.Time
}

// SettingsView is the page.
type SettingsView struct {
	Doctor      Person
	Settings    Settings
	Specialties []string
	History     []SettingsVersion
}

// SettingsPreview is what a doctor's settings ask of the model: the very lines it gets with every brief.
type SettingsPreview struct {
	Lines []string
	Goal  float64 // reading grade
}

// PreviewSettings shows what the settings would change, on a made-up brief. It looks nothing up.
func PreviewSettings(s Settings) SettingsPreview {
	p, err := drafting.Build(drafting.Input{Brief: sampleBrief, Patient: check.Identity{Names: []string{"Pat Sample"}}, AgeBand: "55-64", Marker: "0000000000000000",
		Settings: drafting.Settings{Tone: s.Tone, ReadingLevel: s.ReadingLevel, Grade: int(gradeOf[s.ReadingLevel]), MaxWords: s.MaxWords, Specialty: s.Specialty, Language: "en"}})
	if err != nil {
		return SettingsPreview{}
	}
	return SettingsPreview{Lines: strings.Split(strings.TrimSpace(p.Settings), "\n"), Goal: gradeOf[s.ReadingLevel]}
}

func defaultSettings(name string) Settings {
	return Settings{Tone: "warm", ReadingLevel: "elementary", Specialty: "General practice", MaxWords: 150, SignOff: "Kind regards,\n" + name}
}

func openSettings(r db.DoctorSetting) Settings {
	return Settings{Tone: r.Tone, ReadingLevel: r.ReadingLevel, Specialty: r.Specialty, SignOff: r.SignOff, MaxWords: int(r.MaxWords), Version: int(r.Version)}
}

// settingsOf are a doctor's settings, or the defaults with the doctor's name.
func (t *tx) settingsOf(ctx context.Context, doctor uuid.UUID) (Settings, error) {
	if s, read := t.settings[doctor]; read {
		return s, nil
	}
	s, err := t.readSettings(ctx, doctor)
	if err == nil {
		t.settings = map[uuid.UUID]Settings{doctor: s}
	}
	return s, err
}

func (t *tx) readSettings(ctx context.Context, doctor uuid.UUID) (Settings, error) {
	r, err := t.SettingsLast(ctx, db.SettingsLastParams{StaffID: doctor, ClinicID: t.clinicID()})
	if err == nil {
		return openSettings(r), nil
	}
	if !noRows(err) {
		return Settings{}, err
	}
	s, err := t.StaffGet(ctx, db.StaffGetParams{ID: doctor, ClinicID: t.clinicID()})
	return defaultSettings(s.Name), err
}

// signOffOf is what approve appends: a doctor's own sign-off, and for others their real name and role.
func (t *tx) signOffOf(ctx context.Context, signer Actor) (string, error) {
	if signer.Role == Doctor {
		s, err := t.settingsOf(ctx, signer.ID)
		return s.SignOff, err
	}
	return "Kind regards,\n" + signer.Name + ", " + string(signer.Role), nil
}

// SettingsShow reads a doctor's settings with their history: one's own, or as an administrator anybody's.
func (c *Clinic) SettingsShow(ctx context.Context, a Actor, doctor uuid.UUID) (SettingsView, error) {
	v := SettingsView{Specialties: Specialties, Doctor: Person{ID: doctor}}
	err := c.do(ctx, a, SettingsShow, Subject{Kind: "settings", ID: doctor}, func(t *tx) error {
		s, err := t.StaffGet(ctx, db.StaffGetParams{ID: doctor, ClinicID: t.clinicID()})
		if noRows(err) || err == nil && (deref(s.Role) != Doctor || a.May(SettingsShow) == Own && doctor != a.ID) {
			return notFound()
		}
		if err != nil {
			return err
		}
		v.Doctor.Name, v.Doctor.Role = s.Name, string(Doctor)
		rows, err := t.SettingsHistory(ctx, db.SettingsHistoryParams{StaffID: doctor, ClinicID: t.clinicID()})
		if err != nil {
			return err
		}
		v.Settings = defaultSettings(s.Name)
		for i, r := range rows {
			s := openSettings(r)
			if i == 0 {
				v.Settings = s
			}
			v.History = append(v.History, SettingsVersion{Settings: s, At: r.CreatedAt})
		}
		return nil
	})
	return v, err
}

func (s Settings) checked() (Settings, error) {
	var v form
	s.Tone = v.oneOf("tone", "a tone", s.Tone, Tones...)
	s.ReadingLevel = v.oneOf("reading_level", "a reading level", s.ReadingLevel, ReadingLevels...)
	s.Specialty = v.text("specialty", "The specialty", s.Specialty, 1, 100)
	s.SignOff = v.text("sign_off", "The sign-off", s.SignOff, 10, 200)
	if s.MaxWords < 50 || s.MaxWords > 500 {
		v.bad("max_words", "Please give a number of words between 50 and 500.")
	}
	return s, v.err()
}

// SettingsEdit saves a new version. Conflict when the settings were saved elsewhere since. Fields: tone reading_level
// specialty sign_off max_words.
func (c *Clinic) SettingsEdit(ctx context.Context, a Actor, s Settings) error {
	return c.do(ctx, a, SettingsEdit, Subject{Kind: "settings", ID: a.ID}, func(t *tx) error {
		s, err := s.checked()
		if err != nil {
			return err
		}
		last, err := t.SettingsLast(ctx, db.SettingsLastParams{StaffID: a.ID, ClinicID: a.ClinicID})
		if err != nil && !noRows(err) {
			return err
		}
		if int(last.Version) != s.Version {
			return settingsChanged()
		}
		err = t.SettingsAppend(ctx, db.SettingsAppendParams{StaffID: a.ID, ClinicID: a.ClinicID, Version: int32(s.Version) + 1, Tone: s.Tone,
			ReadingLevel: s.ReadingLevel, MaxWords: int32(s.MaxWords), Specialty: s.Specialty, SignOff: s.SignOff, CreatedAt: t.at})
		if isUnique(err, "doctor_settings_pkey") {
			return settingsChanged()
		}
		t.detail["version"] = s.Version + 1
		return err
	})
}

func settingsChanged() error {
	return refuse(Conflict, "changed", "You saved other settings in another window since. They are in the history below; save again to replace them.")
}

// sampleBrief is the made-up brief of the settings page.
var sampleBrief = check.Brief{Kind: "clinical", Urgency: "normal", Inquiry: "My new blood pressure pill makes me cough all night. Can I stop it?",
	Points: []string{"Stop the old pill tonight", "Start the new one in the morning", "Come for a blood test"},
	Facts:  []check.Fact{{ID: "f1", Kind: "drug", Text: "losartan 50 mg daily"}, {ID: "f2", Kind: "date", Text: "in 2 weeks"}}}
