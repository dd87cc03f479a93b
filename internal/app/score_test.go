package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/score"
	"countersign/internal/seal"
)

// scoredHouse is a running web with all that it needs.
func scoredHouse(t *testing.T) *App {
	w, cfg := stoppedClinic(t, func(*clinictest.World) {})
	cfg.RedisURL, cfg.DatabaseMaxConns = config.Secret(clinictest.Redis(t)), 4
	cfg.Access = config.Access{Issuer: w.Issuer, Audience: "countersign"}
	cfg.OpenAI = config.OpenAI{BaseURL: "http://127.0.0.1:1", APIKey: "sk-x", Model: "m"}
	cfg.Times.FenceEvery, cfg.Times.NudgeTimeout = 100*time.Millisecond, 300*time.Millisecond
	cfg.LogLevel, cfg.MetricsToken, cfg.SentryDSN = "error", "a-token-for-tests-only", "http://k@127.0.0.1:1/1"
	a, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.WebOn(ctx, listener) }()
	t.Cleanup(func() { stop(); <-done })
	address := "http://" + listener.Addr().String() + "/healthz"
	for range 200 {
		if resp, err := http.Get(address); err == nil {
			_ = resp.Body.Close()
			if a.fence.Word() == "ok" {
				return a
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the web does not answer, or the fence says %s", a.fence.Word())
	return nil
}

// anew is the score of this moment.
func (a *App) anew(t *testing.T, seen clinic.Guards) score.Score {
	t.Helper()
	a.scored.mu.Lock()
	a.scored.last = score.Score{}
	a.scored.mu.Unlock()
	return a.score(t.Context(), seen)
}

// letting is a proxy in front of the web that lets pass what the web would refuse: it answers 200 by itself to whatever
// has this method and path.
func letting(t *testing.T, to, method, path string) string {
	web := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method && strings.HasPrefix(r.URL.Path, path) {
			return
		}
		web.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// Everything is good but what a machine for trying out does not have; each control that is taken away lowers the score,
// and its own line says so.
func TestScoreFallsWithEachCheck(t *testing.T) {
	t.Parallel()
	a := scoredHouse(t)
	dial, cfg, made := a.dial, *a.cfg, a.keyMade
	good := a.anew(t, clinic.Guards{})
	for _, l := range slices.Concat(good.Headers, good.Checks) {
		if l.OK != (l.Name != "The keyset is encrypted") || l.OK != (l.Todo == "") {
			t.Errorf("%+v", l)
		}
	}
	if good.Observatory < 100 || good.Percent() < 95 || len(good.Checks) < 15 {
		t.Errorf("%d points, %d %%, %d checks", good.Observatory, good.Percent(), len(good.Checks))
	}
	type off struct {
		seen clinic.Guards
		do   func()
	}
	for name, o := range map[string]off{
		"Nobody gets in without a sign-in":         {do: func() { a.dial = letting(t, dial, http.MethodGet, "/patients") }},
		"Another site's form is refused":           {do: func() { a.dial = letting(t, dial, http.MethodPost, "/sign-out") }},
		"A forged e-mail report is refused":        {do: func() { a.dial = letting(t, dial, http.MethodPost, "/webhooks/sendgrid") }},
		"A forged text-message report is refused":  {do: func() { a.dial = letting(t, dial, http.MethodPost, "/webhooks/twilio") }},
		"A form without end is refused":            {do: func() { a.dial = letting(t, dial, http.MethodPost, "/m/") }},
		"Figures need their token":                 {do: func() { a.dial = letting(t, dial, http.MethodGet, "/metrics") }},
		"The key that seals is young":              {do: func() { a.keyMade = made.AddDate(-2, 0, 0) }},
		"Every patient's key can be opened":        {seen: clinic.Guards{KeysMissing: 3}},
		"The connection to Postgres is encrypted":  {do: func() { a.cfg.DatabaseURL = "postgres://app@db.riverside.test/app" }},
		"The certificate of Postgres is looked at": {do: func() { a.cfg.DatabaseTLS = config.TLSEncrypted }},
		"The connection to Redis is encrypted":     {do: func() { a.cfg.RedisURL = "redis://redis.riverside.test:6379/0" }},
		"Providers are asked by https":             {do: func() { a.cfg.Twilio.BaseURL = "http://api.riverside.test" }},
		"The app cannot rewrite the trail":         {seen: clinic.Guards{MayRewrite: true}},
		"Faults are reported":                      {do: func() { a.cfg.SentryDSN = "" }},
		"Nobody keeps a role unused":               {seen: clinic.Guards{Unseen: 2}},
		"HTTPS":                                    {do: func() { a.cfg.BaseURL = "http://messages.riverside.test" }},
	} {
		if o.do != nil {
			o.do()
		}
		s := a.anew(t, o.seen)
		i := slices.IndexFunc(slices.Concat(s.Headers, s.Checks), func(l score.Line) bool { return l.Name == name })
		if i < 0 || slices.Concat(s.Headers, s.Checks)[i].OK || slices.Concat(s.Headers, s.Checks)[i].Todo == "" || s.Percent() >= good.Percent() {
			t.Errorf("%s: %d %% where it was %d: %+v", name, s.Percent(), good.Percent(), s)
		}
		a.dial, a.keyMade, *a.cfg = dial, made, cfg
	}
	a.cfg.KeysetKMS = "awskms:///alias/countersign"
	if s := a.anew(t, clinic.Guards{}); s.Percent() != 100 {
		t.Errorf("with a key service it is %d %%: %s", s.Percent(), fmt.Sprint(s.Checks))
	}
}

// What the database shows is true: permissions, keys and people as they are.
func TestGuardsAreSeen(t *testing.T) {
	t.Parallel()
	w, cfg := keyed(t)
	if g, err := w.Clinic.SecurityShow(t.Context(), w.Admin); err != nil || g.KeysMissing != 0 || g.Unseen != 0 || g.Encrypted {
		t.Errorf("%v %+v", err, g)
	}
	if err := w.Exec(t, "UPDATE staff SET created_at = now() - interval '1 year' WHERE id = $1", w.Staff.ID); err != nil {
		t.Fatal(err)
	}
	if g, err := w.Clinic.SecurityShow(t.Context(), w.Admin); err != nil || g.Unseen != 1 {
		t.Errorf("%v %+v", err, g)
	}
	stranger := *cfg
	text, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	stranger.Keyset = config.Secret(text)
	c, err := openStore(t.Context(), &stranger, clinic.Times{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if g, err := c.SecurityShow(t.Context(), w.Admin); err != nil || g.KeysMissing != 1 {
		t.Errorf("%v %+v", err, g)
	}
}
