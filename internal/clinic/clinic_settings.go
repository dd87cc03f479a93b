package clinic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"countersign/internal/db"
)

// ClinicChanged is the name that is announced when the clinic's settings change.
const ClinicChanged = "clinic"

// ClinicSettings are what an administrator sets for the whole clinic. They hold from the next deed on, in every process.
type ClinicSettings struct {
	NoticeName, Phone, EmergencyLine, Zone string
	UndoSeconds, PageDays                  int
	Drafting                               bool // by the model; by hand always works
	Email, SMS                             bool // as a way to write and sign for; what is signed already goes out
	Later                                  bool // a time of its own for a notice
	Limits                                 []DraftLimit
	RetentionYears                         int    // that messages stay when they are over; 0: for ever
	RetentionSeen                          string // of a shorter time: what ClinicEdit's refusal said in this field
	Version                                int
}

// ClinicChange is one line of the history: who changed which settings, in words.
type ClinicChange struct {
	At   time.Time
	By   string
	What []string
}

// ClinicView is the page.
type ClinicView struct {
	Name     string
	Settings ClinicSettings
	Standard []DraftLimit
	Keeps    *Retention // what the setting comes to tonight; nil: messages stay for ever
	History  []ClinicChange
}

func (t *tx) clinicSettings(ctx context.Context) (ClinicSettings, string, error) {
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return ClinicSettings{}, "", found(err)
	}
	limits, err := t.draftLimits(ctx)
	years := int32(0)
	if cl.RetentionYears != nil {
		years = *cl.RetentionYears
	}
	return ClinicSettings{RetentionYears: int(years), NoticeName: cl.NoticeName, Phone: cl.Phone, EmergencyLine: cl.EmergencyLine, Zone: cl.TimeZone, UndoSeconds: int(cl.UndoSeconds),
		PageDays: int(cl.PageDays), Drafting: cl.DraftingOn, Email: cl.EmailOn, SMS: cl.SmsOn, Later: cl.LaterOn, Limits: limits, Version: int(cl.Version)}, cl.Name, err
}

// ClinicShow reads the clinic's settings, and from the trail who changed them.
func (c *Clinic) ClinicShow(ctx context.Context, a Actor) (ClinicView, error) {
	v := ClinicView{Standard: standardLimits()}
	err := c.do(ctx, a, ClinicShow, Subject{Kind: "clinic", ID: a.ClinicID}, func(t *tx) (err error) {
		if v.Settings, v.Name, err = t.clinicSettings(ctx); err != nil {
			return err
		}
		if years := v.Settings.RetentionYears; years > 0 {
			keeps, err := t.retention(ctx, years)
			if err != nil {
				return err
			}
			v.Keeps = &keeps
		}
		rows, err := t.ClinicChanges(ctx, db.ClinicChangesParams{ClinicID: t.clinicID(), RowLimit: clinicChanges})
		for _, r := range rows {
			v.History = append(v.History, ClinicChange{At: r.At, By: r.Person, What: changeWords(r.Detail)})
		}
		return err
	})
	return v, err
}

// ClinicEdit saves them. Conflict when somebody else saved since Version. Fields: notice_name phone emergency_line zone
// undo_seconds page_days email retention_years retention_seen (see retentionSeen), and of each role staff_drafts, staff_warn_day, staff_warn_month, staff_stop_day.
func (c *Clinic) ClinicEdit(ctx context.Context, a Actor, s ClinicSettings) error {
	return c.do(ctx, a, ClinicEdit, Subject{Kind: "clinic", ID: a.ClinicID}, func(t *tx) error {
		s, err := s.checked()
		if err != nil {
			return err
		}
		before, _, err := t.clinicSettings(ctx)
		if err != nil {
			return err
		}
		if err := t.retentionSeen(ctx, before, s); err != nil {
			return err
		}
		changed := s.against(before)
		if t.silent = len(changed) == 0; t.silent && s.Version == before.Version {
			return nil
		}
		t.silent, t.detail["changed"] = false, changed
		n, err := t.Queries.ClinicEdit(ctx, db.ClinicEditParams{NoticeName: s.NoticeName, Phone: s.Phone, EmergencyLine: s.EmergencyLine, TimeZone: s.Zone,
			UndoSeconds: int32(s.UndoSeconds), PageDays: int32(s.PageDays), DraftingOn: s.Drafting, EmailOn: s.Email, SmsOn: s.SMS, LaterOn: s.Later, RetentionYears: retentionColumn(s.RetentionYears),
			ID: t.clinicID(), Version: int32(s.Version)})
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(Conflict, "changed", "Another administrator saved other settings since. They are in the history below; save again to replace them.")
		}
		t.names = append(t.names, ClinicChanged)
		return t.DraftLimitsPut(ctx, limitRows(t.clinicID(), s.Limits))
	})
}

// checked takes what was typed, or says what is wrong with it.
func (s ClinicSettings) checked() (ClinicSettings, error) {
	var v form
	s.NoticeName = v.text("notice_name", "The name for notices", s.NoticeName, 3, 60)
	s.Phone = v.text("phone", "The phone number", s.Phone, 3, 40)
	if s.Phone != "" {
		v.phone("phone", s.Phone)
	}
	s.EmergencyLine = v.text("emergency_line", "The emergency number", s.EmergencyLine, 2, 20)
	if strings.Trim(s.EmergencyLine, "0123456789 +()-") != "" {
		v.bad("emergency_line", "Please give a number, such as 911 or 112.")
	}
	if zone := v.zone("zone", s.Zone); zone != nil {
		s.Zone = *zone
	} else {
		v.bad("zone", "The time zone is missing.")
	}
	if s.UndoSeconds < 0 || s.UndoSeconds > 120 {
		v.bad("undo_seconds", "The time to undo is 0 to 120 seconds.")
	}
	if s.PageDays < 1 || s.PageDays > 30 {
		v.bad("page_days", "A page can be open for 1 to 30 days.")
	}
	if s.RetentionYears < 0 || s.RetentionYears > retentionMost {
		v.bad("retention_years", "Messages stay for 1 to 100 years after they are over. To keep them for ever, leave the field empty.")
	}
	if !s.Email && !s.SMS {
		v.bad("email", "Leave at least one way to reach patients: e-mail or SMS.")
	}
	for _, l := range s.Limits {
		l.check(&v)
	}
	if len(s.Limits) != len(standardLimits()) {
		v.bad("staff_drafts", "The limits of a role are missing.")
	}
	return s, v.err()
}

// against is what differs: of what people type freely the name only, of numbers, zones and switches what was and what is.
func (s ClinicSettings) against(before ClinicSettings) map[string]string {
	changed := map[string]string{}
	free := func(name, was, is string) {
		if was != is {
			changed[name] = ""
		}
	}
	set := func(name string, was, is any) {
		if was != is {
			changed[name] = fmt.Sprintf("%v → %v", was, is)
		}
	}
	onOff := func(name string, was, is bool) {
		set(name, map[bool]string{true: "on", false: "off"}[was], map[bool]string{true: "on", false: "off"}[is])
	}
	free("notice_name", before.NoticeName, s.NoticeName)
	free("phone", before.Phone, s.Phone)
	free("emergency_line", before.EmergencyLine, s.EmergencyLine)
	set("zone", before.Zone, s.Zone)
	set("undo_seconds", before.UndoSeconds, s.UndoSeconds)
	set("page_days", before.PageDays, s.PageDays)
	onOff("drafting", before.Drafting, s.Drafting)
	onOff("email", before.Email, s.Email)
	onOff("sms", before.SMS, s.SMS)
	onOff("later", before.Later, s.Later)
	set("retention_years", keptYears(before.RetentionYears), keptYears(s.RetentionYears))
	for _, l := range s.Limits {
		was, role := limitOf(before.Limits, l.Role), string(l.Role)
		set(role+"_drafts", was.Drafts, l.Drafts)
		set(role+"_warn_day", Money(was.WarnDay), Money(l.WarnDay))
		set(role+"_warn_month", Money(was.WarnMonth), Money(l.WarnMonth))
		set(role+"_stop_day", Money(was.StopDay), Money(l.StopDay))
	}
	return changed
}

// settingNames are the settings as people read them; those of roles are made of settingOfRole.
var (
	settingNames = map[string]string{"notice_name": "name for notices", "phone": "phone number", "emergency_line": "emergency number", "zone": "time zone",
		"undo_seconds": "seconds to undo", "page_days": "days a page is open", "drafting": "drafting by the model", "email": "e-mail", "sms": "SMS", "later": "sending later", "retention_years": "how long messages are kept"}
	settingOfRole = map[string]string{"drafts": "drafts a day", "warn_day": "warning a day", "warn_month": "warning a month", "stop_day": "stop a day"}
)

// changeWords reads a line of the trail.
func changeWords(detail []byte) (words []string) {
	var d struct {
		Changed map[string]string `json:"changed"`
	}
	if json.Unmarshal(detail, &d) != nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(d.Changed)) {
		name := settingNames[key]
		if role, rest, ok := strings.Cut(key, "_"); name == "" && ok {
			name = settingOfRole[rest] + " for " + role
		}
		if d.Changed[key] != "" {
			name += ": " + d.Changed[key]
		}
		words = append(words, name)
	}
	return words
}

// channelOn: whether messages are written and signed for this channel in the clinic.
func channelOn(cl db.Clinic, channel string) bool {
	return channel == "email" && cl.EmailOn || channel == "sms" && cl.SmsOn
}

// channelOff is the sentence where it is not.
func channelOff(channel string) string {
	return map[string]string{"email": "This clinic has switched off notices by e-mail. Choose SMS, or call.", "sms": "This clinic has switched off notices by SMS. Choose e-mail, or call."}[channel]
}

const laterOff = "This clinic has switched off sending later. Leave the field empty to send as soon as it is signed."
