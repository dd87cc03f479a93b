package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

func (s *site) keepOut(t *testing.T, what string) {
	t.Helper()
	if err := s.world.Clinic.NetworkBlock(ctx(), s.world.Admin, clinic.NetworkForm{What: what, Reason: "probing", Sure: true}); err != nil {
		t.Fatal(err)
	}
	s.readLists(ctx())
}

// Who is kept out is told so, and nothing of what they ask is looked at: not whether it exists, not from which site it
// comes, not their session. Providers, the one-click stop and probes are not held to it.
func TestKeepOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.SendGrid, c.Twilio, c.Inbound, c.CountryHeader = stamp{}, stamp{}, stamp{}, "CF-IPCountry"
	})
	v := s.as(t, s.world.Staff)
	v.wants(v.get("/patients"), http.StatusOK)
	s.keepOut(t, "192.0.2.0/24")
	sessions := s.world.Strings(t, "SELECT last_seen_at::text FROM sessions")
	refused := func(got *httptest.ResponseRecorder, what string) {
		t.Helper()
		if got.Code != http.StatusForbidden || !strings.HasPrefix(got.Body.String(), "Countersign is not open to the network") {
			t.Errorf("%s: %d %.80s", what, got.Code, got.Body)
		}
	}
	s.world.Clock.Add(5 * time.Minute)
	for _, r := range s.routes() {
		path := strings.NewReplacer(":id", uuid.NewString(), ":delivery", uuid.NewString(), ":token", "abc", "/*", "/x").Replace(r.path)
		got := v.do(httptest.NewRequest(r.method, path, nil))
		free := strings.HasPrefix(r.path, "/webhooks/") || r.path == "/healthz" || r.path == "/readyz" || r.method == "POST" && r.path == "/m/:token/stop"
		if !free {
			refused(got, r.method+" "+r.path)
		} else if strings.Contains(got.Body.String(), "not open to the network") {
			t.Errorf("%s %s is held to the lists", r.method, r.path)
		}
	}
	refused(v.get("/nowhere"), "an address that is not there")
	refused(v.do(crossSite("/sign-out")), "another site's form")
	if got := s.world.Strings(t, "SELECT last_seen_at::text FROM sessions"); got[0] != sessions[0] {
		t.Error("the session was looked at")
	}
	for _, line := range securityHeaders() {
		if v.get("/").Header().Get(line.name) == "" {
			t.Errorf("no %s", line.name)
		}
	}
	v.wants(v.from("203.0.113.50:1", "/sign-in"), http.StatusOK)
	s.keepOut(t, "kp")
	proxied := s.visitor(t)
	proxied.address = "10.0.0.1:9"
	proxied.header.Set("Cf-Ipcountry", "KP")
	proxied.header.Set("X-Forwarded-For", "203.0.113.50")
	refused(proxied.get("/sign-in"), "a blocked country")
	proxied.header.Set("Cf-Ipcountry", "US")
	proxied.wants(proxied.get("/sign-in"), http.StatusOK)
	proxied.address = "203.0.113.50:1" // no proxy of ours: their word is no word
	proxied.header.Set("Cf-Ipcountry", "KP")
	proxied.wants(proxied.get("/sign-in"), http.StatusOK)
}

// A process hears of a change at once, and reads the lists again by itself when it hears nothing; without a database it
// holds up what it had.
func TestListsKeepUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	watching, stop := context.WithCancel(ctx())
	ended := make(chan struct{})
	s.readLists(ctx())
	go func() { s.watchLists(watching); close(ended) }()
	waitFor(t, "the process listens", func() bool { s.hub.mu.Lock(); defer s.hub.mu.Unlock(); return len(s.hub.to) == 1 })
	if names := s.hub.names[0]; !slices.Equal(names, []string{clinic.NetworksChanged, clinic.ClinicChanged}) {
		t.Fatal(names)
	}
	if err := s.world.Clinic.NetworkBlock(ctx(), s.world.Admin, clinic.NetworkForm{What: "192.0.2.7", Reason: "probing", Sure: true}); err != nil {
		t.Fatal(err)
	}
	v.wants(v.get("/sign-in"), http.StatusOK) // not heard of it yet
	told := time.Now()
	s.hub.ring(clinic.NetworksChanged)
	waitFor(t, "the entry is in force", func() bool { return v.get("/healthz").Code == 200 && v.get("/sign-in").Code == http.StatusForbidden })
	if time.Since(told) > listsEvery/2 {
		t.Error("the process waited, although it was told")
	}
	stop()
	<-ended
	away, err := clinic.Open(ctx(), clinic.Config{DatabaseURL: "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	s.cfg.Clinic = away
	s.readLists(ctx())
	v.wants(v.get("/sign-in"), http.StatusForbidden)
	if !strings.Contains(s.log.String(), "cannot be read") {
		t.Error("nobody is told that the lists cannot be read")
	}
	if listsEvery > 10*time.Second {
		t.Error("a process that hears nothing does not look often enough")
	}
}

// Nothing announced, a process looks by itself: here until it has read the lists for the first time.
func TestListsAreReadAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	watching, stop := context.WithCancel(ctx())
	defer stop()
	if err := s.world.Clinic.NetworkBlock(ctx(), s.world.Admin, clinic.NetworkForm{What: "192.0.2.7", Reason: "probing", Sure: true}); err != nil {
		t.Fatal(err)
	}
	go s.watchLists(watching)
	v := s.visitor(t)
	waitFor(t, "the entry is in force", func() bool { return v.get("/readyz").Code != 0 && v.get("/sign-in").Code == http.StatusForbidden })
}

func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for: %s", what)
		}
	}
}

// The screen: add, be warned, be sure, remove; what was typed stays when something is wrong with it.
func TestNetworkScreen(t *testing.T) {
	t.Parallel()
	asked := newSite(t, func(c *Config) { c.Rates.Person = 321 })
	if page := asked.as(t, asked.world.Admin).get("/networks").Body.String(); !strings.Contains(page, `one person, signed in</th><td data-label="At most" class="num">321</td>`) {
		t.Error("the page does not say the rate that holds")
	}
	s := newSite(t)
	v := s.as(t, s.world.Admin)
	v.wants(v.get("/networks"), http.StatusOK, "Nobody is kept out", "You are at <span class=\"num\">192.0.2.7</span>")
	v.wants(v.post("/networks/block", "what", "198.51.100.0/24", "reason", "", "lasts", "24"), http.StatusUnprocessableEntity, "The reason is missing", `value="198.51.100.0/24"`, `value="24" selected`)
	v.goes(v.post("/networks/block", "what", "198.51.100.0/24", "reason", "probing <b>all</b> night", "lasts", "24"), "/networks")
	v.wants(v.get("/networks"), http.StatusOK, "Added. It is in force", "198.51.100.0/24", "probing &lt;b&gt;all", "Ruth Ebbing")
	if got := v.from("198.51.100.9:1", "/sign-in").Code; got != http.StatusForbidden {
		t.Errorf("it is not in force at once: %d", got)
	}
	v.wants(v.post("/networks/block", "what", "192.0.2.0/24", "reason", "oops", "lasts", "0"), http.StatusUnprocessableEntity, "This would shut you out", `name="sure"`, `value="192.0.2.0/24"`)
	v.goes(v.post("/networks/allow", "what", "192.0.2.7", "reason", "the office", "lasts", "0"), "/networks")
	v.goes(v.post("/networks/block", "what", "192.0.2.0/24", "reason", "the rest of it", "lasts", "0"), "/networks")
	page := v.get("/networks").Body.String()
	list, err := s.world.Clinic.NetworkList(ctx(), s.world.Admin)
	if err != nil || len(list) != 3 || !strings.Contains(page, "always let in") {
		t.Fatal(err, len(list))
	}
	office := "/networks/" + list[1].ID.String() + "/unblock"
	v.wants(v.post(office), http.StatusUnprocessableEntity, "This would shut you out", "Shut me out")
	v.goes(v.post(office, "sure", "yes"), "/networks")
	v.wants(v.get("/networks"), http.StatusForbidden)
	for _, who := range []clinic.Actor{s.world.Doctor, s.world.Ops, s.world.Auditor} {
		other := s.as2(t, who, "203.0.113.50:1")
		other.wants(other.get("/networks"), http.StatusForbidden, "Your role does not include this")
		other.wants(other.post("/networks/block", "what", "203.0.113.0/24", "reason", "mine", "sure", "yes"), http.StatusForbidden)
	}
}

// as2 signs somebody in from an address of their own.
func (s *site) as2(t *testing.T, who clinic.Actor, address string) *visitor {
	t.Helper()
	v := s.visitor(t)
	v.address = address
	v.cookies["CF_Authorization"] = assertion(t, who.Name, s.world.Clock.Now())
	v.goes(v.get("/signed-in?next=%2F"), "/")
	return v
}
