package identity_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/identity"
	"countersign/internal/sandbox"
)

const app = "http://app.example"

// provider is the sandbox as an OpenID provider on a real port. A test may put
// an answer of its own before any of its addresses, and counts what was asked.
type provider struct {
	t       testing.TB
	url     string
	sandbox *sandbox.Sandbox

	mu     sync.Mutex
	asked  map[string]int
	before map[string]http.HandlerFunc
	moved  time.Duration // how far the client's clock is ahead
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{t: t, asked: map[string]int{}, before: map[string]http.HandlerFunc{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.url = strings.Replace("http://"+server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	var err error
	if p.sandbox, err = sandbox.Open(sandbox.Options{BaseURL: app, PublicURL: p.url, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	answer := p.before[r.URL.Path]
	p.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	p.sandbox.Handler().ServeHTTP(w, r)
}

// answer puts an answer before an address; nil takes it away.
func (p *provider) answer(path string, f http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before[path] = f
}

func (p *provider) count(path string) int { p.mu.Lock(); defer p.mu.Unlock(); return p.asked[path] }

func (p *provider) now() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return time.Now().Add(p.moved) }

func (p *provider) pass(d time.Duration) { p.mu.Lock(); defer p.mu.Unlock(); p.moved += d }

func (p *provider) client(change ...func(*identity.Client)) *identity.OIDC {
	p.t.Helper()
	s := p.sandbox.SettingsOIDC()
	c := identity.Client{Issuer: s["OIDC_ISSUER"], ID: s["OIDC_CLIENT_ID"], Secret: s["OIDC_CLIENT_SECRET"], Back: app + "/signed-in"}
	for _, f := range change {
		f(&c)
	}
	o, err := identity.NewOIDC(c, identity.WithClock(p.now))
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

// tab is a browser: it keeps the provider's cookies and does not follow the
// way back to the app.
type tab struct {
	t    testing.TB
	http *http.Client
}

func newTab(t testing.TB) *tab {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

var link = regexp.MustCompile(`href="(/oidc/authorize/tom-reyes[^"]*)"`)

// answer opens the provider's address, says “Tom Reyes” if asked, and returns
// what the provider sends to the app. asked says whether it asked.
func (b *tab) answer(address string) (answer url.Values, asked bool) {
	b.t.Helper()
	for range 3 {
		response, err := b.http.Get(address)
		if err != nil {
			b.t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		if to := response.Header.Get("Location"); to != "" {
			u, err := url.Parse(to)
			if err != nil || !strings.HasPrefix(to, app+"/signed-in?") {
				b.t.Fatalf("the provider leads to %q", to)
			}
			return u.Query(), asked
		}
		found := link.FindStringSubmatch(string(body))
		if found == nil {
			b.t.Fatalf("the provider answers %d: %.400s", response.StatusCode, body)
		}
		base, _ := url.Parse(address)
		next, err := base.Parse(html.UnescapeString(found[1]))
		if err != nil {
			b.t.Fatal(err)
		}
		address, asked = next.String(), true
	}
	b.t.Fatal("the provider does not end")
	return nil, false
}

// begun is a sign-in that has come back from the provider, to be finished.
type begun struct {
	client *identity.OIDC
	cookie string
	answer url.Values
	asked  bool
}

func (p *provider) begin(b *tab, client *identity.OIDC, to string, anew bool) *begun {
	p.t.Helper()
	address, cookie, err := client.Start(p.t.Context(), to, anew)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, asked := b.answer(address)
	return &begun{client, cookie, answer, asked}
}

func (s *begun) finish(t testing.TB) (identity.Person, string, error) {
	t.Helper()
	return s.client.Finish(t.Context(), s.cookie, s.answer)
}

// recorded is an answer with its bytes at hand.
type recorded struct{ *httptest.ResponseRecorder }

func newRecorder() recorded { return recorded{httptest.NewRecorder()} }

func (r recorded) Bytes() []byte { return r.Body.Bytes() }
