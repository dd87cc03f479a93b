package web

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"countersign/internal/clinic"
)

// clinicView is what clinic/show shows: the settings as stored, or as typed.
type clinicView struct {
	C        clinic.ClinicView
	F        map[string]string // what stands in the fields
	On       map[string]bool   // what is ticked
	Roles    []roleLimits
	Version  int
	Errors   map[string]string
	Sentence string
}

// roleLimits are the fields of one role's limits.
type roleLimits struct {
	Role     clinic.Role
	Fields   []Field
	Standard string
}

// The settings that are switches, and the limits of each role, as the form names them.
var (
	clinicSwitches = []string{"drafting", "email", "sms", "later"}
	limitFields    = []string{"drafts", "warn_day", "warn_month", "stop_day"}
	limitedRoles   = []clinic.Role{clinic.Staff, clinic.Reviewer, clinic.Doctor}
)

func (s *Server) clinicShow(c *call) error {
	return s.clinicAnswer(c, http.StatusOK, clinicView{})
}

// clinicAnswer shows the form: as stored, or with what v already holds.
func (s *Server) clinicAnswer(c *call, status int, v clinicView) error {
	stored, err := s.cfg.Clinic.ClinicShow(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v.C = stored
	if v.F == nil {
		v.F, v.On = clinicFields(stored.Settings)
		v.Version = stored.Settings.Version
	}
	if status == http.StatusConflict { // the sentence says that saving again replaces the newer ones
		v.Version = stored.Settings.Version
	}
	if err := v.layLimits(); err != nil {
		return err
	}
	return s.render(c, status, answer{page: pageClinic, title: "Clinic settings", nav: "clinic", v: v})
}

// clinicFields are the stored settings as the fields hold them.
func clinicFields(s clinic.ClinicSettings) (fields map[string]string, on map[string]bool) {
	fields = map[string]string{"notice_name": s.NoticeName, "phone": s.Phone, "emergency_line": s.EmergencyLine, "zone": s.Zone,
		"undo_seconds": strconv.Itoa(s.UndoSeconds), "page_days": strconv.Itoa(s.PageDays)}
	if s.RetentionYears > 0 {
		fields["retention_years"] = strconv.Itoa(s.RetentionYears)
	}
	for _, l := range s.Limits {
		role := string(l.Role)
		fields[role+"_drafts"] = strconv.Itoa(l.Drafts)
		fields[role+"_warn_day"], fields[role+"_warn_month"], fields[role+"_stop_day"] = dollars(l.WarnDay), dollars(l.WarnMonth), dollars(l.StopDay)
	}
	return fields, map[string]bool{"drafting": s.Drafting, "email": s.Email, "sms": s.SMS, "later": s.Later}
}

// layLimits makes the fields of each role.
func (v *clinicView) layLimits() error {
	labels := map[string]string{"drafts": "Drafts a day", "warn_day": "Warn, a day ($)", "warn_month": "Warn, a month ($)", "stop_day": "Stop, a day ($)"}
	for _, role := range limitedRoles {
		one := roleLimits{Role: role}
		for _, l := range v.C.Standard {
			if l.Role == role {
				one.Standard = fmt.Sprintf("%d drafts a day; %s, %s and %s", l.Drafts, clinic.Money(l.WarnDay), clinic.Money(l.WarnMonth), clinic.Money(l.StopDay))
			}
		}
		for _, name := range limitFields {
			key, mode := string(role)+"_"+name, "mode=decimal"
			if name == "drafts" {
				mode = "mode=numeric"
			}
			f, err := newField(key, labels[name], v.F[key], v.Errors[key], "", mode, "max=12", "required")
			if err != nil {
				return err
			}
			one.Fields = append(one.Fields, f)
		}
		v.Roles = append(v.Roles, one)
	}
	return nil
}

func (s *Server) clinicEdit(c *call) error {
	err := s.cfg.Clinic.ClinicEdit(c.ctx(), c.actor, readClinic(c.form))
	if correctable(err) {
		v := clinicView{F: map[string]string{}, On: map[string]bool{}, Version: c.form.version(), Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)}
		for name := range s.forms[c.route.path] {
			v.F[name] = c.form.line(name)
		}
		v.F["retention_seen"] = v.Errors["retention_seen"]
		for _, name := range clinicSwitches {
			v.On[name] = c.form.line(name) == "yes"
		}
		return s.clinicAnswer(c, statusOf(clinic.KindOf(err)), v)
	}
	if err != nil {
		return err
	}
	s.readZone(c.ctx())
	return s.goTo(c, "/clinic", saidClinic)
}

func readClinic(f form) clinic.ClinicSettings {
	s := clinic.ClinicSettings{NoticeName: f.line("notice_name"), Phone: f.line("phone"), EmergencyLine: f.line("emergency_line"), Zone: f.line("zone"),
		UndoSeconds: typedNumber(f.line("undo_seconds")), PageDays: typedNumber(f.line("page_days")), Drafting: f.line("drafting") == "yes", Email: f.line("email") == "yes",
		SMS: f.line("sms") == "yes", Later: f.line("later") == "yes", RetentionSeen: f.line("retention_seen"), Version: f.version()}
	if years := f.line("retention_years"); years != "" {
		if s.RetentionYears = typedNumber(years); s.RetentionYears == 0 {
			s.RetentionYears = -1 // to keep nothing is not to be had
		}
	}
	for _, role := range limitedRoles {
		of := func(name string) string { return f.line(string(role) + "_" + name) }
		s.Limits = append(s.Limits, clinic.DraftLimit{Role: role, Drafts: typedNumber(of("drafts")), WarnDay: micros(of("warn_day")), WarnMonth: micros(of("warn_month")),
			StopDay: micros(of("stop_day"))})
	}
	return s
}

// typedNumber is a number that a person typed, or -1 for what is none.
func typedNumber(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return -1
}

var amountShape = regexp.MustCompile(`^\$?(\d{1,6})(?:\.(\d{1,2}))?$`)

// micros is an amount in dollars that a person typed, in millionths, or -1 for what is none.
func micros(s string) int64 {
	m := amountShape.FindStringSubmatch(s)
	if m == nil {
		return -1
	}
	cents, err := strconv.ParseInt(m[1]+(m[2] + "00")[:2], 10, 64)
	if err != nil {
		return -1
	}
	return cents * 10_000
}

// dollars is an amount as its field holds it: "4" or "2.50".
func dollars(micro int64) string {
	return strings.TrimSuffix(strings.TrimPrefix(clinic.Money(micro), "$"), ".00")
}
