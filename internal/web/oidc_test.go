package web

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/identity"
	"countersign/internal/sandbox"
)

// openProvider is the sandbox as an OpenID provider, and a site that signs in through it.
type openProvider struct {
	*site
	url     string
	sandbox *sandbox.Sandbox
	mu      sync.Mutex
	token   http.HandlerFunc // in place of the token endpoint, if set
}

func newOIDCSite(t *testing.T) *openProvider {
	t.Helper()
	p := &openProvider{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		token := p.token
		p.mu.Unlock()
		if r.URL.Path == "/oidc/token" && token != nil {
			token(w, r)
			return
		}
		p.sandbox.Handler().ServeHTTP(w, r)
	}))
	p.url = strings.Replace("http://"+server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	var err error
	if p.sandbox, err = sandbox.Open(sandbox.Options{BaseURL: "http://localhost:8080", PublicURL: p.url, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	settings := p.sandbox.SettingsOIDC()
	client, err := identity.NewOIDC(identity.Client{Issuer: settings["OIDC_ISSUER"], ID: settings["OIDC_CLIENT_ID"],
		Secret: settings["OIDC_CLIENT_SECRET"], Back: "http://localhost:8080/signed-in"})
	if err != nil {
		t.Fatal(err)
	}
	p.site = newSite(t, func(c *Config) { c.Access, c.AccessIssuer, c.AccessAudience, c.OIDC = nil, "", "", client })
	for subject, role := range map[string]clinic.Role{"tom-reyes": clinic.Staff, "amara-osei": clinic.Doctor, "ruth-ebbing": clinic.Admin} {
		_, err := p.world.Clinic.StaffPut(ctx(), p.world.Operator, clinic.StaffForm{ClinicID: p.world.ClinicID, Issuer: p.url, Subject: subject,
			Email: "someone@riverside.example", Name: subject, Role: role})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// answer puts an answer in place of the token endpoint; nil is the sandbox's own again.
func (p *openProvider) answer(token http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = token
}

// chromium is a browser at both: its visitor has the app's cookies, it has the provider's.
type chromium struct {
	*visitor
	p    *openProvider
	http *http.Client
}

func (p *openProvider) browser(t *testing.T) *chromium {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &chromium{p.visitor(t), p, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// atProvider opens the address the app sent to, and says who one is if asked. It returns the way back.
func (b *chromium) atProvider(got *httptest.ResponseRecorder, who string) (back string, asked bool) {
	b.t.Helper()
	address := got.Header().Get("Location")
	if got.Code != http.StatusSeeOther || !strings.HasPrefix(address, b.p.url+"/oidc/authorize?") {
		b.t.Fatalf("%d to %q: %s", got.Code, address, got.Body)
	}
	response, err := b.http.Get(address)
	if err == nil && response.StatusCode == http.StatusOK {
		asked = true
		response.Body.Close()
		response, err = b.http.Get(strings.Replace(address, "/oidc/authorize?", "/oidc/authorize/"+who+"?", 1))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	back, ours := strings.CutPrefix(response.Header.Get("Location"), "http://localhost:8080")
	if !ours {
		b.t.Fatalf("the provider answers %d to %q", response.StatusCode, response.Header.Get("Location"))
	}
	return back, asked
}

// signIn begins at /sign-in/start and comes back.
func (b *chromium) signIn(who, query string) *httptest.ResponseRecorder {
	b.t.Helper()
	back, _ := b.atProvider(b.get("/sign-in/start?"+query), who)
	return b.get(back)
}

func TestOIDCSignIn(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	b := p.browser(t)
	b.goes(b.get("/patients?after=x"), "/sign-in?next=%2Fpatients%3Fafter%3Dx&reason=none")
	b.wants(b.get("/sign-in?next=%2Fpatients&reason=none"), 200, `href="/sign-in/start?next=%2Fpatients"`)
	b.wants(b.get("/sign-in?next=%2Fpatients&reason=idle"), 200, `href="/sign-in/start?anew=1&amp;next=%2Fpatients"`)
	started := b.get("/sign-in/start?next=%2Fpatients")
	if c := started.Result().Cookies()[0]; c.Name != "__Host-signing-in" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
		c.Path != "/" || c.Domain != "" || c.MaxAge != 600 {
		t.Errorf("the cookie of the sign-in is %+v", c)
	}
	back, asked := b.atProvider(started, "tom-reyes")
	if !asked {
		t.Error("the provider did not ask")
	}
	got := b.get(back)
	b.goes(got, "/patients")
	if b.cookies[sessionCookie] == "" || b.cookies[flowCookie] != "" {
		t.Errorf("cookies after the sign-in: %v", b.cookies)
	}
	b.wants(b.get("/patients"), 200, "tom-reyes")
	b.goes(b.get(back), "/") // loaded once more: the session is there
	if n := p.world.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'session.open' AND outcome = 'done' AND detail->>'method' = 'code'"); n != 1 {
		t.Errorf("%d sign-ins on the trail", n)
	}
	if log := p.log.String(); strings.Contains(log, "code=") || strings.Contains(log, "state=") || strings.Contains(log, "eyJ") {
		t.Error("the log holds a code, a state or a token")
	}
	b.goes(b.post("/sign-out"), "/signed-out")
	b.wants(b.get("/signed-out"), 200, p.url+"/oidc/end-session?client_id=countersign&amp;post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fsigned-out")
}

// What does not fit is refused, told in words, and on the trail; nothing opens.
func TestOIDCRefusals(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	start := func() (*chromium, string) {
		b := p.browser(t)
		back, _ := b.atProvider(b.get("/sign-in/start?next=%2F"), "tom-reyes")
		return b, back
	}
	for name, spoil := range map[string]func(b *chromium, back string) string{
		"another state":     func(_ *chromium, back string) string { return strings.Replace(back, "state=", "state=x", 1) },
		"a mixed-up issuer": func(_ *chromium, back string) string { return strings.Replace(back, "iss=", "iss=x", 1) },
		"another browser": func(b *chromium, back string) string {
			b.get("/sign-in/start?next=%2F")
			return back
		},
		"a bad token": func(_ *chromium, back string) string {
			p.sandbox.BendIDTokens(map[string]any{"aud": "another-app"})
			return back
		},
	} {
		before := refusals(t, p.world, "assertion")
		b, back := start()
		b.wants(b.get(spoil(b, back)), 401, "We could not sign you in")
		if b.cookies[sessionCookie] != "" || b.cookies[flowCookie] != "" {
			t.Errorf("%s: cookies %v", name, b.cookies)
		}
		if n := refusals(t, p.world, "assertion"); n != before+1 {
			t.Errorf("%s: %d refusals on the trail", name, n-before)
		}
		p.sandbox.BendIDTokens(nil)
	}
	b, back := start()
	delete(b.cookies, flowCookie)
	b.wants(b.get(back), 401, "Please sign in")
	b = p.browser(t)
	declined, _ := b.atProvider(b.get("/sign-in/start?next=%2F"), "nobody")
	b.wants(b.get(declined), 401, "You were not signed in")
	b, back = start()
	p.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	b.wants(b.get(back), 503, "sign-in service cannot be reached", `href="/sign-in"`)
	if n := p.world.Count(t, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// One sign-in opens one session, whoever takes its cookie along and however often the provider answers it.
func TestOIDCOneSession(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	b := p.browser(t)
	started := b.get("/sign-in/start?next=%2F")
	thief := p.browser(t)
	thief.cookies[flowCookie] = b.cookies[flowCookie]
	thief.http = b.http
	back, _ := b.atProvider(started, "tom-reyes")
	again, asked := b.atProvider(started, "tom-reyes")
	if asked || again == back {
		t.Fatal("the provider should give another code to who it knows")
	}
	b.goes(b.get(back), "/")
	thief.wants(thief.get(again), 401, "You are signed out")
	if n := p.world.Count(t, "SELECT count(*) FROM sessions"); n != 1 || thief.cookies[sessionCookie] != "" {
		t.Errorf("%d sessions", n)
	}
	if n := p.world.Count(t, "SELECT count(*) FROM audit_events WHERE reason = 'token_used'"); n != 1 {
		t.Errorf("%d refusals on the trail", n)
	}
}

func TestOIDCReturnsToOwnPagesOnly(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	for next, want := range map[string]string{"//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "/signed-in?code=x": "/",
		"javascript:alert(1)": "/", "/reviews?mine=1": "/reviews?mine=1", "": "/"} {
		b := p.browser(t)
		if got := b.signIn("tom-reyes", url.Values{"next": {next}}.Encode()); got.Code != http.StatusSeeOther || got.Header().Get("Location") != want {
			t.Errorf("%q: %d to %q", next, got.Code, got.Header().Get("Location"))
		}
		if got := b.get("/signed-in?next=https%3A%2F%2Fevil.example%2F"); got.Header().Get("Location") != "/" {
			t.Errorf("next beside no code leads to %q", got.Header().Get("Location"))
		}
	}
}

func TestOIDCNoRole(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	b := p.browser(t)
	b.goes(b.signIn("casey-stranger", "next=%2F"), "/")
	b.wants(b.get("/"), 403, "no role here yet", "casey@elsewhere.example")
}

// A provider that remembers somebody does not undo the end of their session: they are asked anew, by themselves.
func TestOIDCAsksAnewAfterTheEnd(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	b := p.browser(t)
	b.goes(b.signIn("tom-reyes", "next=%2F"), "/")
	p.world.Clock.Add(10 * time.Minute) // the provider's clock is the real one
	b.goes(b.post("/sign-out"), "/signed-out")
	back, asked := b.atProvider(b.get("/sign-in/start?next=%2Fpatients"), "tom-reyes")
	if asked {
		t.Fatal("the provider should remember")
	}
	again := b.get(back)
	b.goes(again, "/sign-in/start?anew=1&next=%2Fpatients")
	back, asked = b.atProvider(b.get(again.Header().Get("Location")), "tom-reyes")
	if !asked {
		t.Error("the provider was not asked anew")
	}
	b.goes(b.get(back), "/patients")
	b.wants(b.get("/patients"), 200, "tom-reyes")
}

// Another person at the same browser gets a session of their own, and the one before is over.
func TestOIDCAnotherPerson(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	b := p.browser(t)
	b.goes(b.signIn("tom-reyes", "next=%2F"), "/")
	old := *b.visitor
	old.cookies = map[string]string{sessionCookie: b.cookies[sessionCookie]}
	b.goes(b.signIn("amara-osei", "next=%2F&anew=1"), "/")
	b.wants(b.get("/patients"), 200, "amara-osei")
	old.goes(old.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
}

// Who is switched off is out with the next request, although the provider is not asked again.
func TestOIDCDisabled(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	b := p.browser(t)
	b.goes(b.signIn("tom-reyes", "next=%2F"), "/")
	if err := p.world.Exec(t, "UPDATE staff SET disabled_at = now() WHERE subject = 'tom-reyes'"); err != nil {
		t.Fatal(err)
	}
	b.goes(b.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	b.wants(b.signIn("tom-reyes", "next=%2F&anew=1"), 403, "switched off")
}

func TestNewWantsOneWayToSignIn(t *testing.T) {
	t.Parallel()
	p := newOIDCSite(t)
	good := p.cfg
	for name, spoil := range map[string]func(*Config){
		"none": func(c *Config) { c.OIDC = nil },
		"both": func(c *Config) {
			access, err := identity.NewAccess("https://riverside.cloudflareaccess.com", "aud")
			if err != nil {
				t.Fatal(err)
			}
			c.Access, c.AccessIssuer, c.AccessAudience = access, "https://riverside.cloudflareaccess.com", "aud"
		},
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
