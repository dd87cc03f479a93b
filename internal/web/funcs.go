package web

import (
	"context"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"countersign/internal/clinic"
)

// functions are what templates may call beside the fields of their dot.
func (s *Server) functions() template.FuncMap {
	t := times{now: s.cfg.Now, zone: s.clinicZone}
	return template.FuncMap{
		"field": newField, "calling": newCalling, "schedule": newSchedule, "area": newField,
		"ago": t.ago, "past": t.past, "clock": t.clock, "exact": t.exact, "dated": t.dated, "iso": t.iso, "second": t.second, "day": t.day,
		"due": t.due, "born": born, "moment": t.moment, "left": t.left, "ahead": t.ahead,
		"static": s.assets.address, "sri": s.assets.integrity, "icon": s.icon,
		"channelName": channelName, "channelIcon": channelIcon,
		"tail": tail, "deed": clinic.DeedWords, "phone": clinic.PhoneWords, "device": device, "none": none, "plural": plural, "join": strings.Join, "seq": seq,
		"add":   func(a, b int) int { return a + b },
		"money": clinic.Money, "thousands": thousands, "every": every, "took": took, "week": weekChart,
		"eqs": func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) },
	}
}

// icon is one picture of the sprite. Names come from templates only; they are escaped all the same.
func (s *Server) icon(name string) (template.HTML, error) {
	sprite, err := s.assets.address("icons/sprite.svg")
	if err != nil {
		return "", err
	}
	return template.HTML(`<svg class="i" aria-hidden="true" focusable="false"><use href="` + sprite + `#` +
		template.HTMLEscapeString(name) + `"></use></svg>`), nil
}

// none says of a list of allergies that there are none in it, in the words that people use for that.
func none(text string) bool {
	switch strings.Trim(strings.ToLower(strings.TrimSpace(text)), ".") {
	case "", "none", "none known", "none recorded", "no known allergies", "no known drug allergies", "nka", "nkda", "-":
		return true
	}
	return false
}

// channelName is a channel as people say it.
func channelName(channel string) string {
	return map[string]string{"email": "e-mail", "sms": "SMS"}[channel]
}

func channelIcon(channel string) string {
	return map[string]string{"email": "mail", "sms": "message-square"}[channel]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func seq(n int) []int {
	all := make([]int, max(n, 0))
	for i := range all {
		all[i] = i
	}
	return all
}

// clinicZone is where the clinic is, or UTC until that could be read.
func (s *Server) clinicZone() *time.Location {
	if zone := s.zone.Load(); zone != nil {
		return zone
	}
	return time.UTC
}

// thousands is a large number with its thousands apart.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// every is how often a job runs, in words; 0 is at night, and less is not known.
func every(d time.Duration) string {
	switch {
	case d < 0:
		return "by itself"
	case d == 0:
		return "each night at 02:00"
	case d == time.Second:
		return "each second"
	case d < time.Minute:
		return fmt.Sprintf("each %d seconds", int(d.Seconds()))
	case d == time.Minute:
		return "each minute"
	}
	return fmt.Sprintf("each %d minutes", int(d.Minutes()))
}

// took is how long something took, for people.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d\u00a0ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f\u00a0s", d.Seconds())
}

// learnZone asks for the clinic's zone, once. An installation has one clinic whose pages it shows.
func (s *Server) learnZone(ctx context.Context) {
	if s.zone.Load() == nil {
		s.readZone(ctx)
	}
}

// readZone asks for it anew, after an administrator may have changed it.
func (s *Server) readZone(ctx context.Context) {
	if p, err := s.cfg.Clinic.PageAsk(ctx); err == nil && p.Zone != nil {
		s.zone.Store(p.Zone)
	}
}

// times writes moments for people. A time that carries a zone of its own keeps it; all others are in the clinic's.
type times struct {
	now  func() time.Time
	zone func() *time.Location
}

func (t times) local(at time.Time) time.Time {
	if l := at.Location(); l != time.UTC && l != time.Local {
		return at
	}
	return at.In(t.zone())
}

// ago is how long ago, or how long until: "just now", "12 min", "2 h", "3 d". Nothing for no time.
func (t times) ago(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	switch d := t.now().Sub(at).Abs(); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// past says of a moment that it has been. No time has not. It takes a time or a pointer to one.
func (t times) past(at any) bool {
	switch at := at.(type) {
	case time.Time:
		return !at.IsZero() && at.Before(t.now())
	case *time.Time:
		return at != nil && at.Before(t.now())
	}
	return false
}

// clock is "16:12" today, else "22 Nov, 16:12", with the year if it is another one.
func (t times) clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = t.local(at)
	today := t.now().In(at.Location())
	switch {
	case at.Year() != today.Year():
		return at.Format("2 Jan 2006, 15:04")
	case at.YearDay() != today.YearDay():
		return at.Format("2 Jan, 15:04")
	default:
		return at.Format("15:04")
	}
}

// second is a moment of the audit trail: "25 Nov 2026, 16:12:05 CST". A trail that is printed and read elsewhere says by whose clock.
func (t times) second(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return t.local(at).Format("2 Jan 2006, 15:04:05 MST")
}

// day is "Mon 23 Nov 2026".
func (t times) day(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return t.local(at).Format("Mon 2 Jan 2006")
}

// born is a date of birth as people read it out: "30 May 1967". What is no date stays as it is.
func born(date clinic.Text) string {
	at, err := time.Parse(time.DateOnly, date.Reveal())
	if err != nil {
		return date.Reveal()
	}
	return at.Format("2 January 2006")
}

// tail is the end of an id, by which people tell one from another.
func tail(id any) string {
	s := fmt.Sprint(id)
	return s[max(0, len(s)-8):]
}

// exact is "Mon 23 Nov 2026, 16:12 CST": what stands behind each shorter time, with its zone.
func (t times) exact(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return t.local(at).Format("Mon 2 Jan 2006, 15:04 MST")
}

// due is when something will happen: "today, 16:30", "tomorrow, 09:00", else "Tue 5 Mar, 09:00"; to the second when it is
// only minutes away, and nobody has to count.
func (t times) due(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = t.local(at)
	now := t.now().In(at.Location())
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch {
	case at.Sub(now).Abs() < 10*time.Minute:
		return at.Format("15:04:05")
	case !at.Before(midnight) && at.Before(midnight.AddDate(0, 0, 1)):
		return at.Format("today, 15:04")
	case !at.Before(midnight.AddDate(0, 0, 1)) && at.Before(midnight.AddDate(0, 0, 2)):
		return at.Format("tomorrow, 15:04")
	case at.Year() != now.Year():
		return at.Format("Mon 2 Jan 2006, 15:04")
	}
	return at.Format("Mon 2 Jan, 15:04")
}

// left is how many seconds there are until then, for a countdown by script; 0 when it is no matter of seconds.
func (t times) left(at time.Time) int {
	if d := at.Sub(t.now()); d > 0 && d <= 2*time.Minute {
		return int(d.Seconds())
	}
	return 0
}

// moment is a time as a field of day and time holds it, on the clinic's clock: of a time or a pointer to one that lies ahead.
func (t times) moment(at any) string {
	when, ok := at.(time.Time)
	if p, is := at.(*time.Time); is && p != nil {
		when, ok = *p, true
	}
	if !ok || !when.After(t.now()) {
		return ""
	}
	return t.local(when).Format("2006-01-02T15:04")
}

// ahead is the clinic's time some days from now, as a field of day and time holds it.
func (t times) ahead(days int) string {
	return t.local(t.now().UTC()).AddDate(0, 0, days).Format("2006-01-02T15:04")
}

// dated is a moment in the patient's own words: "November 22, 2026, 6:29 PM PST", or "22 de noviembre de 2026, 18:29 PST".
// They may read it in another zone than the clinic's.
func (t times) dated(language string, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = t.local(at)
	if language != "es" {
		return at.Format("January 2, 2006, 3:04 PM MST")
	}
	months := []string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}
	return fmt.Sprintf("%d de %s de %d, %s", at.Day(), months[at.Month()-1], at.Year(), at.Format("15:04 MST"))
}

func (t times) iso(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// Field is what the partials _field and _area show.
type Field struct {
	Name, Label, Value, Error, Hint string
	Type, Mode, Auto                string // type and inputmode of an input; autocomplete
	Max, Rows                       int    // maxlength, 0 for none; rows of an area
	Required, Optional, Wide, Focus bool
}

// newField makes a Field. Options: type=email mode=numeric auto=bday max=100 rows=4 required optional wide focus.
func newField(name, label string, value any, wrong, hint string, options ...string) (Field, error) {
	f := Field{Name: name, Label: label, Value: fmt.Sprint(value), Error: wrong, Hint: hint, Type: "text", Auto: "off", Rows: 3}
	for _, option := range options {
		var err error
		key, set, _ := strings.Cut(option, "=")
		switch key {
		case "type":
			f.Type = set
		case "mode":
			f.Mode = set
		case "auto":
			f.Auto = set
		case "max":
			f.Max, err = strconv.Atoi(set)
		case "rows":
			f.Rows, err = strconv.Atoi(set)
		case "required":
			f.Required = true
		case "optional":
			f.Optional = true
		case "wide":
			f.Wide = true
		case "focus":
			f.Focus = true
		default:
			err = fmt.Errorf("no such option")
		}
		if err != nil {
			return f, fmt.Errorf("field %s: %s: %w", name, option, err)
		}
	}
	return f, nil
}
