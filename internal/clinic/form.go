package clinic

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// form collects sentences beside fields while a form is read. Lengths are in characters.
type form struct{ fields map[string]string }

func (f *form) bad(field, sentence string) {
	if f.fields == nil {
		f.fields = map[string]string{}
	}
	if f.fields[field] == "" {
		f.fields[field] = sentence
	}
}

func (f *form) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return invalid(f.fields)
}

// text trims and normalises (NFC, line ends) and checks the length.
func (f *form) text(field, label, s string, least, most int) string {
	s = tidy(s)
	switch n := utf8.RuneCountInString(s); {
	case n == 0 && least > 0:
		f.bad(field, label+" is missing.")
	case n < least:
		f.bad(field, fmt.Sprintf("%s needs at least %d characters.", label, least))
	case n > most:
		f.bad(field, fmt.Sprintf("%s is %d characters too long (at most %d).", label, n-most, most))
	}
	return s
}

func (f *form) oneOf(field, label, s string, allowed ...string) string {
	for _, a := range allowed {
		if s == a {
			return s
		}
	}
	f.bad(field, "Please choose "+label+".")
	return allowed[0]
}

func (f *form) date(field, s string, now time.Time) string {
	d, err := time.Parse(time.DateOnly, strings.TrimSpace(s))
	if err != nil {
		f.bad(field, "Please give the date as year-month-day, for example 1967-05-30.")
		return strings.TrimSpace(s)
	}
	if d.After(now) || d.Before(now.AddDate(-130, 0, 0)) {
		f.bad(field, "This date of birth cannot be right.")
	}
	return d.Format(time.DateOnly)
}

func (f *form) email(field, s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 || !strings.Contains(s[strings.LastIndex(s, "@"):], ".") {
		f.bad(field, "This does not look like an e-mail address.")
		return s
	}
	at := strings.LastIndex(s, "@")
	return s[:at] + strings.ToLower(s[at:])
}

// phone returns the number as E.164. Numbers without a country are read as the clinic's (US).
func (f *form) phone(field, s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	n, err := phonenumbers.Parse(s, "US")
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		f.bad(field, "This does not look like a phone number. Give it with its area code, for example +1 415 555 0132.")
		return s
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

// PhoneWords is a stored number as people read and dial it, its groups apart; what is no number stays as it is.
func PhoneWords(number Text) Text {
	n, err := phonenumbers.Parse(number.Reveal(), "ZZ")
	if err != nil {
		return number
	}
	return Text(phonenumbers.Format(n, phonenumbers.INTERNATIONAL))
}

func (f *form) zone(field, s string) *string {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		f.bad(field, "This time zone is not known. Use a name such as America/Chicago.")
	}
	return &s
}

// tidy is how every text a person types is kept: valid UTF-8, composed, one kind of line end, no NUL, trimmed.
func tidy(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.ReplaceAll(s, "\x00", "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.TrimSpace(norm.NFC.String(s))
}

// looseKey normalises an identifier for the exact look-up index.
func looseKey(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(s)), ""))
}

// ageOn is the age in whole years.
func ageOn(birth string, now time.Time) int {
	b, err := time.Parse(time.DateOnly, birth)
	if err != nil {
		return 0
	}
	age := now.Year() - b.Year()
	if now.Month() < b.Month() || now.Month() == b.Month() && now.Day() < b.Day() {
		age--
	}
	return age
}
