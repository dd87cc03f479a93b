package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/limit"
)

// counted is a site that counts on Redis.
func counted(t *testing.T, rc *redis.Client, change ...func(*Config)) *site {
	t.Helper()
	return newSite(t, append(change, func(c *Config) { c.Limits = limit.New(rc, []byte("one key")) })...)
}

func testRedis(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(clinictest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	rc := redis.NewClient(options)
	t.Cleanup(func() { _ = rc.Close() })
	return rc
}

// from asks from another address.
func (v *visitor) from(address, path string) *httptest.ResponseRecorder {
	other := *v
	other.header = v.header.Clone()
	other.address = address
	return other.get(path)
}

// refusedByRate says that an answer is the refusal of a rule, to programs and to people.
func (v *visitor) refusedByRate(got *httptest.ResponseRecorder, name string, most, window int, words ...string) {
	v.t.Helper()
	v.wants(got, http.StatusTooManyRequests, words...)
	wait, err := strconv.Atoi(got.Header().Get("Retry-After"))
	if err != nil || wait < 1 || wait > window {
		v.t.Errorf("Retry-After is %q", got.Header().Get("Retry-After"))
	}
	if policy := got.Header().Get("RateLimit-Policy"); policy != fmt.Sprintf("%q;q=%d;w=%d", name, most, window) {
		v.t.Errorf("RateLimit-Policy is %s", policy)
	}
	if now := got.Header().Get("RateLimit"); now != fmt.Sprintf("%q;r=0;t=%d", name, wait) {
		v.t.Errorf("RateLimit is %s", now)
	}
}

// A signed-out address may ask a hundred times a minute, whatever it asks for; nobody else is touched by it.
func TestAddressLimit(t *testing.T) {
	t.Parallel()
	rc := testRedis(t)
	s := counted(t, rc, func(c *Config) { c.SendGrid = stamp{} })
	v, person := s.visitor(t), s.as(t, s.world.Staff)
	paths := []string{"/sign-in", "/m/" + strings.Repeat("a", 43), "/nowhere", "/patients", "/signed-out", "/metrics"}
	for i := range 99 { // the person's own sign-in was the first
		if got := v.get(paths[i%len(paths)]); got.Code == http.StatusTooManyRequests {
			t.Fatalf("refused after %d", i+1)
		}
	}
	askedOut(v)
	for _, path := range paths {
		v.refusedByRate(v.get(path), "address", 100, 60, "too much at once", "Wait ")
	}
	v.refusedByRate(v.get("/m/"+strings.Repeat("a", 43)), "address", 100, 60, "Espere ")
	v.refusedByRate(v.htmx("main").get("/patients"), "address", 100, 60, `class="alert stop"`)
	v.wants(v.from("203.0.113.50:1", "/sign-in"), http.StatusOK)
	v.wants(v.get("/healthz"), http.StatusOK)
	v.wants(v.get("/static/app.css"), http.StatusOK)
	person.wants(person.get("/patients"), http.StatusOK)
	r := httptest.NewRequest(http.MethodPost, "/webhooks/sendgrid", strings.NewReader("[]"))
	r.Header.Set("Stamp", "ok")
	v.wants(v.do(r), http.StatusNoContent)

	other := &site{Server: second(t, s, limit.New(rc, []byte("one key")))} // a second process with the same Redis
	w := other.visitor(t)
	askedOut(w)
	w.refusedByRate(w.get("/sign-in"), "address", 100, 60)
}

// askedOut asks until that is too much: at once, unless Redis was slow meanwhile and some were counted by one process
// alone. A process that knows nothing of the others would need a hundred.
func askedOut(v *visitor) {
	for range 50 {
		if v.get("/sign-in").Code == http.StatusTooManyRequests {
			return
		}
	}
}

// second is one more server in front of the same clinic.
func second(t *testing.T, s *site, limits *limit.Limiter) *Server {
	t.Helper()
	cfg := s.cfg
	cfg.Limits = limits
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// One line of IPv6 has more addresses than there are atoms to count with: it is one caller.
func TestAddressLimitTakesAnIPv6LineForOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Rates.Address = 3 })
	v := s.visitor(t)
	for i := range 3 {
		v.wants(v.from(fmt.Sprintf("[2001:db8:1:2::%d]:9", i+1), "/sign-in"), http.StatusOK)
	}
	v.wants(v.from("[2001:db8:1:2:ffff::1]:9", "/sign-in"), http.StatusTooManyRequests)
	v.wants(v.from("[2001:db8:1:3::1]:9", "/sign-in"), http.StatusOK)
}

// A person has a limit of their own, wherever they ask from; what they typed is not lost by it.
func TestPersonLimit(t *testing.T) {
	t.Parallel()
	s := counted(t, testRedis(t), func(c *Config) { c.Rates.Person = 5 })
	v, other := s.as(t, s.world.Staff), s.as(t, s.world.Doctor)
	for range 5 {
		v.wants(v.get("/patients"), http.StatusOK)
	}
	v.refusedByRate(v.get("/patients"), "person", 5, 60, "Too many requests", "too much at once", `href="/patients"`)
	v.refusedByRate(v.from("203.0.113.50:1", "/patients"), "person", 5, 60)
	v.refusedByRate(v.post("/patients/new", "id", uuid.NewString(), "name", "Ada Brook & Co"), "person", 5, 60, "Send it again", `value="Ada Brook &amp; Co"`)
	got := v.htmx("main").get("/patients")
	v.refusedByRate(got, "person", 5, 60, `class="alert stop"`)
	if got.Header().Get("HX-Retarget") != "#notice" || strings.Contains(got.Body.String(), "<main") {
		t.Error("htmx gets more than the notice")
	}
	other.wants(other.get("/patients"), http.StatusOK)
	if s.world.Count(t, "SELECT count(*) FROM patients WHERE name_sealed IS NOT NULL") != 1 {
		t.Error("a refused form was carried out")
	}
}

// Who has no role yet has the same limit, before what they are refused costs a line on the trail.
func TestPersonLimitWithoutARole(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Rates.Person = 5 })
	v := s.as(t, clinic.Actor{Name: "Casey Stranger"})
	for range 5 {
		v.wants(v.get("/patients"), http.StatusForbidden, "no role here yet")
	}
	v.refusedByRate(v.get("/patients"), "person", 5, 60, "too much at once")
	v.refusedByRate(v.htmx("main").get("/worklist"), "person", 5, 60)
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND reason = 'role'"); n != 5 {
		t.Errorf("%d refusals are on the trail", n)
	}
}

// Ten sign-ins of a person in fifteen minutes, and ten bad assertions of an address; a clinic behind one address gets in.
func TestSignInLimit(t *testing.T) {
	t.Parallel()
	s := counted(t, testRedis(t), func(c *Config) { c.Rates.Address = 1000 })
	for range 10 {
		s.as(t, s.world.Staff)
	}
	v := s.visitor(t)
	v.cookies["CF_Authorization"] = assertion(t, s.world.Staff.Name, s.world.Clock.Now())
	v.refusedByRate(v.get("/signed-in"), "sign-in", 10, 900, "minutes, then try again")
	if n := s.world.Count(t, "SELECT count(*) FROM sessions"); n != 10 {
		t.Errorf("%d sessions", n)
	}
	s.as(t, s.world.Doctor)
	v = s.visitor(t)
	v.cookies["CF_Authorization"] = "forged"
	for range 10 {
		v.wants(v.get("/signed-in"), http.StatusUnauthorized)
	}
	v.refusedByRate(v.get("/signed-in"), "sign-in", 10, 900)
	s.as(t, s.world.Reviewer)
}

// The same through an OpenID provider: ten sign-ins of a person, and ten answers of an address that sign nobody in, whether
// they are bent or the provider's no.
func TestSignInLimitByCode(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	p.rules.address.Most = 1000
	b := p.browser(t)
	for range 10 {
		b.goes(b.signIn("tom-reyes", "anew=1"), "/")
	}
	b.refusedByRate(b.signIn("tom-reyes", "anew=1"), "sign-in", 10, 900, "minutes, then try again")
	if n := p.world.Count(t, "SELECT count(*) FROM sessions"); n != 10 {
		t.Errorf("%d sessions", n)
	}
	other := p.browser(t)
	other.goes(other.signIn("amara-osei", ""), "/")
	for i := range 11 {
		who, bend := "tom-reyes", "x"
		if i%2 == 1 {
			who, bend = "nobody", ""
		}
		c := p.browser(t)
		back, _ := c.atProvider(c.get("/sign-in/start"), who)
		got := c.get(strings.Replace(back, "state=", "state="+bend, 1))
		if i < 10 {
			c.wants(got, http.StatusUnauthorized)
		} else {
			c.refusedByRate(got, "sign-in", 10, 900)
		}
	}
	last := p.browser(t)
	last.goes(last.signIn("ruth-ebbing", ""), "/")
}

// Bad assertions are counted on the trail: no address gets more of them than it may ask.
func TestBadAssertionsAreCountedBeforeTheTrail(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Rates.Address = 7 })
	for address, path := range map[string]string{"192.0.2.8:1": "/patients", "192.0.2.9:1": "/signed-in"} {
		v := s.visitor(t)
		v.address, v.cookies["CF_Authorization"] = address, "forged"
		for i := range 20 {
			if got := v.get(path).Code; (got == http.StatusTooManyRequests) != (i >= 7) {
				t.Fatalf("%s, request %d: %d", path, i+1, got)
			}
		}
	}
	if n := refusals(t, s.world, "assertion"); n != 14 {
		t.Errorf("%d lines on the trail", n)
	}
}

// Webhooks with a bad signature are refused after sixty a minute, which are not even counted; good ones never are.
func TestUnverifiedWebhookLimit(t *testing.T) {
	t.Parallel()
	s := counted(t, testRedis(t), func(c *Config) { c.SendGrid, c.Twilio, c.Inbound = stamp{}, stamp{}, stamp{} })
	v, paths := s.visitor(t), []string{"/webhooks/sendgrid", "/webhooks/twilio/" + uuid.NewString(), "/webhooks/twilio"}
	send := func(i int, stamped string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, paths[i%3], strings.NewReader(fmt.Sprint("event ", i)))
		r.Header.Set("Stamp", stamped)
		return v.do(r)
	}
	for i := range 60 {
		if got := send(i, "no"); got.Code != http.StatusForbidden {
			t.Fatalf("forgery %d: %d", i+1, got.Code)
		}
	}
	for i := range 20 {
		v.refusedByRate(send(i, "no"), "unverified", 60, 60)
	}
	for i := range 90 {
		if got := send(i, "ok"); got.Code >= 300 {
			t.Fatalf("a good one after the forgeries: %d", got.Code)
		}
	}
	if n := refusals(t, s.world, "signature"); n != 60 {
		t.Errorf("%d forgeries on the trail, want 60", n)
	}
}

// A provider that sends more than ever is told of once, and served.
func TestVerifiedWebhooksAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SendGrid = stamp{} })
	s.rules.alarm.Most = 3
	v := s.visitor(t)
	for i := range 8 {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/sendgrid", strings.NewReader(fmt.Sprint("event ", i)))
		r.Header.Set("Stamp", "ok")
		v.wants(v.do(r), http.StatusNoContent)
	}
	if n := strings.Count(s.log.String(), "unusually much"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// The rates are SECURITY's, unless a setting says otherwise.
func TestRates(t *testing.T) {
	t.Parallel()
	want := rules{address: limit.Rule{Name: "address", Most: 100, Within: time.Minute}, person: limit.Rule{Name: "person", Most: 500, Within: time.Minute},
		signIn: limit.Rule{Name: "sign-in", Most: 10, Within: 15 * time.Minute}, forged: limit.Rule{Name: "unverified", Most: 60, Within: time.Minute},
		reports: limit.Rule{Name: "reports", Most: 30, Within: time.Minute}, vitals: limit.Rule{Name: "vitals", Most: 600, Within: time.Minute}, alarm: limit.Rule{Name: "verified", Most: 6000, Within: time.Minute},
		heavy: limit.Rule{Name: "heavy", Most: 30, Within: time.Minute}, aMinute: limit.Rule{Name: "alarm", Most: 1, Within: time.Minute}}
	if got := (Rates{}).rules(); got != want {
		t.Errorf("%+v", got)
	}
	if got := (Rates{Address: 7}).rules(); got.address.Most != 7 || got.person.Most != 500 {
		t.Errorf("%+v", got)
	}
}

func TestTooMuchInWords(t *testing.T) {
	t.Parallel()
	for seconds, words := range map[int]string{1: "Wait 1 second,", 59: "Wait 59 seconds,", 90: "Wait 90 seconds,", 91: "Wait 2 minutes,", 900: "Wait 15 minutes,"} {
		if got := tooMuch(seconds, false); !strings.Contains(got, words) || strings.Contains(got, "Espere") {
			t.Errorf("%d: %s", seconds, got)
		}
	}
	if got := tooMuch(120, true); !strings.Contains(got, "Espere 2 minutos") {
		t.Error(got)
	}
}

// refusals is how many of them, for a reason or for any, the trail and the counts of strangers have.
func refusals(t *testing.T, w *clinictest.World, reason string) int {
	t.Helper()
	return w.Count(t, `SELECT (SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND ($1 = '' OR reason = $1))
		+ (SELECT coalesce(sum(more), 0) FROM audit_refusals WHERE $1 = '' OR reason = $1)`, reason)
}
