package web

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
	"countersign/internal/limit"
)

// Rates is how much one address or person may do. What must outlive a Redis that forgets (wrong proofs on a patient's page,
// drafts in a day) is not here: clinic counts it in Postgres. A rate of 0 is the default one.
type Rates struct {
	Address    int // everything that a signed-out caller asks, a minute: 100
	Person     int // everything that a signed-in person asks, a minute: 500
	SignIn     int // sign-ins of a person, and of an address those that fail, in 15 minutes: 10
	Unverified int // webhooks whose signature does not hold, a minute and address: 60
}

// rules are the rates, made whole.
type rules struct{ address, person, signIn, forged, reports, heavy, alarm, aMinute, vitals limit.Rule }

func (r Rates) rules() rules {
	rule := func(name string, given, standard int, within time.Duration) limit.Rule {
		if given == 0 {
			given = standard
		}
		return limit.Rule{Name: name, Most: given, Within: within}
	}
	return rules{
		address: rule("address", r.Address, 100, time.Minute),
		person:  rule("person", r.Person, 500, time.Minute),
		signIn:  rule("sign-in", r.SignIn, 10, 15*time.Minute),
		forged:  rule("unverified", r.Unverified, 60, time.Minute),
		reports: rule("reports", 30, 30, time.Minute),      // what browsers say about our pages
		vitals:  rule("vitals", 600, 600, time.Minute),     // what browsers measure: of a whole clinic, whose people share one address
		heavy:   rule("heavy", 30, 30, time.Minute),        // what takes the filter long
		alarm:   rule("verified", 6000, 6000, time.Minute), // refuses nothing: a provider that sends more is told of in the log
		aMinute: rule("alarm", 1, 1, time.Minute),          // so that the alarm is no flood itself
	}
}

// within counts one of what the rule is about, and refuses what is over it: with how long to wait, for programs in the
// headers and for people in words.
func (s *Server) within(c echo.Context, rule limit.Rule, who string) error {
	v := s.cfg.Limits.Take(c.Request().Context(), rule, who)
	if v.OK {
		return nil
	}
	s.cfg.Metrics.Refused(rule.Name)
	wait := int(math.Ceil(v.Wait.Seconds()))
	h := c.Response().Header()
	h.Set("Retry-After", fmt.Sprint(wait))
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", rule.Name, rule.Most, int(rule.Within.Seconds())))
	h.Set("RateLimit", fmt.Sprintf("%q;r=0;t=%d", rule.Name, wait))
	return &clinic.Error{Kind: clinic.TooMany, Code: "rate", Sentence: tooMuch(wait, strings.HasPrefix(c.Request().URL.Path, "/m/"))}
}

// tooMuch says how long to wait. A patient reads it in both languages: theirs is not known, and is not looked for now.
func tooMuch(seconds int, patient bool) string {
	wait, espera := plural(seconds, "second", "seconds"), plural(seconds, "segundo", "segundos")
	if seconds > 90 {
		minutes := (seconds + 59) / 60
		wait, espera = plural(minutes, "minute", "minutes"), plural(minutes, "minuto", "minutos")
	}
	said := "That was too much at once from your connection. Wait " + wait + ", then try again."
	if patient {
		said += " · Han sido demasiados intentos seguidos. Espere " + espera + " y vuelva a intentarlo."
	}
	return said
}

// callerKey is whom an address's count is of. Of an IPv6 address the first 64 bits: one line has all of the others.
func (s *Server) callerKey(c echo.Context) string {
	a := s.edge().Client(c.Request())
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}

// strangers counts a caller who is not signed in.
func (s *Server) strangers(c echo.Context) error { return s.within(c, s.rules.address, s.callerKey(c)) }

// mayEnter counts those whom a door asks for nothing, before it is opened. Who has to be signed in is counted once that is
// known. Probes and our own files are not counted, and webhooks by their signature.
func (s *Server) mayEnter(c *call) error {
	switch r := c.route; {
	case r.door == doorStaff, r.door == doorPerson, strings.HasPrefix(r.path, "/webhooks/"),
		r.path == pathHealth, r.path == pathReady, r.path == pathStatic:
		return nil
	case r.path == pathReport:
		return s.within(c, s.rules.reports, s.callerKey(c))
	case r.path == pathVitals:
		return s.within(c, s.rules.vitals, s.callerKey(c))
	default:
		return s.strangers(c)
	}
}

// mayTry counts sign-ins: of a person who is vouched for by themselves, since a clinic's people share one address; what
// vouches for nobody, by address.
func (s *Server) mayTry(c *call, reason string, who clinic.Identity) error {
	switch reason {
	case "":
		return s.within(c, s.rules.signIn, who.Issuer+" "+who.Subject)
	case reasonRefused, reasonDeclined:
		return s.within(c, s.rules.signIn, s.callerKey(c))
	default:
		return nil
	}
}

// verified counts a provider's own reports, which are never refused.
func (s *Server) verified(c *call, provider string) {
	s.cfg.Metrics.Webhook(provider, "verified")
	if !s.cfg.Limits.Alone(s.rules.alarm, provider).OK && s.cfg.Limits.Alone(s.rules.aMinute, provider).OK {
		s.cfg.Log.WarnContext(c.ctx(), "a provider sends unusually much", "provider", provider, "most_per_minute", s.rules.alarm.Most)
	}
}
