package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/score"
)

// keyAge is how old a wrapping key may become.
const keyAge = 400 * 24 * time.Hour

// scored keeps the last score for scoreTime: looking at it is no way to keep the process busy.
type scored struct {
	mu   sync.Mutex
	last score.Score
}

const scoreTime = 20 * time.Second

// score looks at how well this installation is guarded, as far as it can be seen from the inside: its own page over its
// own socket, requests that have to be refused, its settings, and what the database shows.
func (a *App) score(ctx context.Context, seen clinic.Guards) score.Score {
	a.scored.mu.Lock()
	defer a.scored.mu.Unlock()
	if time.Since(a.scored.last.At) > scoreTime {
		a.scored.last = score.Compute(ctx, a.page(), append(a.refusals(), a.settings(seen)...))
	}
	return a.scored.last
}

// knock is a request that has to be refused, over our own socket.
type knock struct {
	score.Ask
	want  int    // the answer's status
	leads string // where a redirect has to lead
}

// page is our own sign-in page, over our own socket.
func (a *App) page() score.Page {
	return score.Page{Public: a.cfg.BaseURL, Path: "/sign-in", Dial: a.dial}
}

func (a *App) refused(k knock) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		answer, err := a.page().Send(ctx, k.Ask)
		if err != nil {
			return "", err
		}
		if answer.Status != k.want || !strings.HasPrefix(answer.Header.Get("Location"), k.leads) {
			return "", fmt.Errorf("it was answered %d, and had to be %d", answer.Status, k.want)
		}
		return fmt.Sprintf("it was answered %d", k.want), nil
	}
}

// refusals are requests that this process really gets.
func (a *App) refusals() []score.Check {
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	return []score.Check{
		{Name: "Nobody gets in without a sign-in", Looked: "GET /patients without a cookie", Todo: "Find out which proxy answers in our place.",
			Try: a.refused(knock{Ask: score.Ask{Method: http.MethodGet, Path: "/patients"}, want: http.StatusSeeOther, leads: "/sign-in"})},
		{Name: "Another site's form is refused", Looked: "POST /sign-out as another site's page sends it", Todo: "Let the proxy in front pass Sec-Fetch-Site and Origin on.",
			Try: a.refused(knock{Ask: score.Ask{Method: http.MethodPost, Path: "/sign-out", Header: map[string]string{"Content-Type": form["Content-Type"], "Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}}, want: http.StatusForbidden})},
		{Name: "A forged e-mail report is refused", Looked: "POST /webhooks/sendgrid without a signature", Todo: "Check SENDGRID_WEBHOOK_KEY.",
			Try: a.refused(knock{Ask: score.Ask{Method: http.MethodPost, Path: "/webhooks/sendgrid", Body: "[]", Header: map[string]string{"Content-Type": "application/json"}}, want: http.StatusForbidden})},
		{Name: "A forged text-message report is refused", Looked: "POST /webhooks/twilio without a signature", Todo: "Check TWILIO_AUTH_TOKEN.",
			Try: a.refused(knock{Ask: score.Ask{Method: http.MethodPost, Path: "/webhooks/twilio", Header: form}, want: http.StatusForbidden})},
		{Name: "A form without end is refused", Looked: "POST of 70 KiB to a patient's page", Todo: "Tell us: this is a fault of ours.",
			Try: a.refused(knock{Ask: score.Ask{Method: http.MethodPost, Path: "/m/" + strings.Repeat("x", 43), Body: "day=" + strings.Repeat("1", 70<<10), Header: form}, want: http.StatusRequestEntityTooLarge})},
		{Name: "Figures need their token", Looked: "GET /metrics with another token", Todo: "Set METRICS_TOKEN.",
			Try: a.refusedFigures()},
	}
}

func (a *App) refusedFigures() func(context.Context) (string, error) {
	want := http.StatusUnauthorized
	if a.cfg.MetricsToken == "" {
		want = http.StatusNotFound
	}
	return a.refused(knock{Ask: score.Ask{Method: http.MethodGet, Path: "/metrics", Header: map[string]string{"Authorization": "Bearer " + rand.Text()}}, want: want})
}

// is turns a fact into a check.
func is(name, looked string, so bool, found, otherwise, todo string) score.Check {
	return score.Check{Name: name, Looked: looked, Todo: todo, Try: func(context.Context) (string, error) {
		if !so {
			return "", errors.New(otherwise)
		}
		return found, nil
	}}
}

// settings are what this process was told, and what the database shows of it.
func (a *App) settings(seen clinic.Guards) []score.Check {
	c := a.cfg
	age := time.Since(a.keyMade)
	return []score.Check{
		is("The key that seals is young", "the wrapping key of KEYSET", !a.keyMade.IsZero() && age < keyAge, fmt.Sprintf("made %d days ago", int(age.Hours()/24)), "older than 400 days, or of an unknown age",
			"Change it: countersign keys add, promote, rotate, drop."),
		is("Every patient's key can be opened", "the wrapping keys of all patients", seen.KeysMissing == 0, "none is missing", fmt.Sprintf("%d patients cannot be opened", seen.KeysMissing),
			"Run countersign keys status, and bring the missing key back into KEYSET."),
		is("The keyset is encrypted", "KEYSET_KMS", strings.HasPrefix(c.KeysetKMS, "awskms:"), "a key service decrypts it", "it stands in the settings as it is", "Run countersign keys move, and set KEYSET_KMS."),
		is("The connection to Postgres is encrypted", "the connection itself", seen.Encrypted || nearby(c.DatabaseURL), "TLS, or on this machine", "plain text over the network", "Add sslmode=verify-full to DATABASE_URL."),
		is("The certificate of Postgres is looked at", "DATABASE_TLS", c.DatabaseTLS != config.TLSEncrypted, "it is verified, or the server is on this machine", "whoever answers is taken for it", "Use sslmode=verify-full, with sslrootcert if need be, and take DATABASE_TLS away."),
		is("The connection to Redis is encrypted", "REDIS_URL", strings.HasPrefix(c.RedisURL.Reveal(), "rediss:") || nearby(c.RedisURL), "TLS, or on this machine", "plain text over the network", "Use a rediss:// address."),
		is("Providers are asked by https", "the addresses of SendGrid, Twilio and the model", secure(c.SendGrid.BaseURL, c.Twilio.BaseURL, c.OpenAI.BaseURL), "all three, or on this machine", "one of them is plain http", "Use https addresses."),
		is("The app cannot rewrite the trail", "its permissions on audit_events", !seen.MayRewrite, "it may add and read", "it may change or delete", "Give migrate its own role: MIGRATE_DATABASE_URL, then countersign migrate."),
		is("A restored database is noticed", "the fence", a.fence.Word() == "ok", "the place outside agrees with the database", "the fence says "+a.fence.Word(), "Set BLOB_URL, or see Operations if it says held."),
		is("Faults are reported", "SENTRY_DSN", c.SentryDSN != "", "it is set", "nobody hears of a fault", "Set SENTRY_DSN."),
		is("Nobody keeps a role unused", "people with a role and their sign-ins", seen.Unseen == 0, "everybody has signed in within 90 days, or is new", fmt.Sprintf("%d people have not signed in for 90 days", seen.Unseen), "Take their roles, or switch them off, under People."),
	}
}

// nearby is true for a server on this machine, whose connection nobody else carries.
func nearby(address config.Secret) bool {
	u, err := url.Parse(address.Reveal())
	return err == nil && (u.Hostname() == "" || score.IsThisMachine(u.Hostname()))
}

func secure(addresses ...string) bool {
	for _, address := range addresses {
		if !strings.HasPrefix(address, "https://") && !nearby(config.Secret(address)) {
			return false
		}
	}
	return true
}
