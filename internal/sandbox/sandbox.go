// Package sandbox plays the outside world on one local port: SendGrid, Twilio, OpenAI, Cloudflare Access, an OpenID
// provider and Sentry, each from its provider's own documentation or the specification, and an inbox where a person sees what the demo patients received.
//
// It knows the providers' wire formats, keeps its keys and its log of accepted requests in a data folder, calls the
// app back with properly signed webhooks, and can be told to misbehave (see the table in faults.go).
// It does not know the app: it imports nothing of ours, reads only what arrives over HTTP, and reaches no real person.
//
// Some recipients behave in a fixed way, so that every outcome can be had on purpose; the table is in rules.go.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Options say where the sandbox stands and how fast it is.
type Options struct {
	BaseURL   string // the app's public address, without a trailing slash; events go to BaseURL + /webhooks/sendgrid
	PublicURL string // the sandbox's own address as browsers and the app see it, e.g. http://localhost:8090
	Dir       string // the data folder, made if missing (0700): keys.json, log.ndjson, events.ndjson
	Log       *slog.Logger

	ModelDelay    time.Duration // between two words of the model; 0 means 15 ms, negative means none
	CallbackDelay time.Duration // before each webhook; 0 means 400 ms, negative means none
	LateDelay     time.Duration // for the inbox's "late" button; 0 means 30 s, negative means none
	ActivityDelay time.Duration // until a mail shows in SendGrid's Email Activity; 0 means 30 s, negative means none
}

// Sandbox is the played world. Make one with Open; it is safe for concurrent use.
type Sandbox struct {
	opt       Options
	keys      *keys
	journal   *journal
	faults    *faultBoard
	calls     *caller
	envelopes *envelopeStore
	provider  *provider
	activity  activityMeter
	pages     *pages
	handler   http.Handler
}

// Open reads the data folder (making it and the keys the first time) and returns a sandbox ready to serve.
// It fails when an address is missing or not absolute, or when the folder cannot be read or written.
func Open(opt Options) (*Sandbox, error) {
	opt = opt.withDefaults()
	for name, address := range map[string]string{"BaseURL": opt.BaseURL, "PublicURL": opt.PublicURL} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("sandbox: %s must be an absolute http address", name)
		}
	}
	if opt.Dir == "" {
		return nil, errors.New("sandbox: Dir must name a data folder")
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox: data folder: %w", err)
	}
	k, err := openKeys(opt.Dir)
	if err != nil {
		return nil, err
	}
	p, err := parsePages()
	if err != nil {
		return nil, err
	}
	j, err := openJournal(opt.Dir)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{
		opt: opt, keys: k, journal: j, pages: p,
		faults: newFaultBoard(), calls: newCaller(opt.Log), envelopes: &envelopeStore{}, provider: newProvider(),
	}
	s.handler = s.routes()
	return s, nil
}

func (o Options) withDefaults() Options {
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.ModelDelay = delayOr(o.ModelDelay, 15*time.Millisecond)
	o.CallbackDelay = delayOr(o.CallbackDelay, 400*time.Millisecond)
	o.LateDelay = delayOr(o.LateDelay, 30*time.Second)
	o.ActivityDelay = delayOr(o.ActivityDelay, 30*time.Second)
	return o
}

func delayOr(given, standard time.Duration) time.Duration {
	if given == 0 {
		return standard
	}
	return max(given, 0)
}

// Handler serves every provider and every page. One handler, one port.
func (s *Sandbox) Handler() http.Handler { return s.handler }

// Close takes no new callbacks, waits for those under way until ctx ends, then cuts the rest off.
// It returns ctx's error when some were cut off. Afterwards the providers answer 500; closing again does nothing.
func (s *Sandbox) Close(ctx context.Context) error {
	return errors.Join(s.calls.close(ctx), s.journal.close())
}

// Settings are the environment lines an app needs to use this sandbox, signing people in through Access; GET
// /settings.env answers the same. No value holds a space or a quote, so a line NAME=value can be read by any tool.
func (s *Sandbox) Settings() map[string]string {
	all := s.providerSettings()
	all["ACCESS_ISSUER"], all["ACCESS_AUD"] = s.opt.PublicURL, s.keys.AccessAud
	return all
}

// SettingsOIDC are Settings for an app that signs people in through the OpenID provider; GET /settings.env?sign-in=oidc
// answers the same.
func (s *Sandbox) SettingsOIDC() map[string]string {
	all := s.providerSettings()
	all["OIDC_ISSUER"], all["OIDC_CLIENT_ID"], all["OIDC_CLIENT_SECRET"] = s.opt.PublicURL, s.keys.OIDCClient, s.keys.OIDCSecret
	return all
}

func (s *Sandbox) providerSettings() map[string]string {
	own := s.opt.PublicURL
	scheme, host, _ := strings.Cut(own, "://")
	return map[string]string{
		"SENDGRID_BASE_URL":    own,
		"SENDGRID_API_KEY":     s.keys.SendGridKey,
		"SENDGRID_WEBHOOK_KEY": s.keys.webhookPublic(),
		"MAIL_FROM":            "messages@riverside.example",
		"MAIL_FROM_NAME":       "Riverside",
		"TWILIO_BASE_URL":      own,
		"TWILIO_ACCOUNT_SID":   s.keys.TwilioSID,
		"TWILIO_AUTH_TOKEN":    s.keys.TwilioToken,
		"TWILIO_FROM":          twilioFrom,
		"OPENAI_BASE_URL":      own + "/v1",
		"OPENAI_API_KEY":       s.keys.OpenAIKey,
		"SENTRY_DSN":           scheme + "://" + s.keys.SentryKey + "@" + host + "/1",
	}
}

// routes is every address of the sandbox on one page.
func (s *Sandbox) routes() http.Handler {
	mux := http.NewServeMux()
	account := "/2010-04-01/Accounts/{account}/"
	mux.Handle("POST /v3/mail/send", s.faulty(sendgrid, s.mailSend))
	mux.Handle("GET /v3/messages", s.faulty(sendgrid, s.mailActivity))
	mux.Handle("POST "+account+"Messages.json", s.faulty(twilio, s.messageCreate))
	mux.Handle("GET "+account+"Messages.json", s.faulty(twilio, s.messageList))
	mux.Handle("GET "+account+"Messages/{message}", s.faulty(twilio, s.messageShow))
	mux.Handle("POST /v1/chat/completions", s.faulty(openai, s.chatCompletion))

	mux.HandleFunc("GET /sign-in", s.atLocalhost(s.signInPage))
	mux.HandleFunc("GET /sign-in/{sub}", s.atLocalhost(s.signIn))
	mux.HandleFunc("GET /cdn-cgi/access/login/{host}", s.atLocalhost(s.signInPage))
	mux.HandleFunc("GET /cdn-cgi/access/logout", s.atLocalhost(s.signOut))
	mux.HandleFunc("GET /cdn-cgi/access/certs", s.accessCerts)

	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /oidc/authorize", s.atLocalhost(s.authorize))
	mux.HandleFunc("GET /oidc/authorize/{sub}", s.atLocalhost(s.authorizeAs))
	mux.HandleFunc("POST /oidc/token", s.token)
	mux.HandleFunc("GET /oidc/keys", s.oidcKeys)
	mux.HandleFunc("GET /oidc/end-session", s.atLocalhost(s.endSession))

	mux.HandleFunc("POST /api/{project}/envelope/", s.sentryEnvelope)
	mux.HandleFunc("GET /sentry", s.sentryList)

	mux.HandleFunc("GET /{$}", s.inboxPage)
	mux.HandleFunc("GET /inbox.json", s.inboxJSON)
	mux.HandleFunc("POST /messages/{message}/{act}", s.inboxAct)

	mux.HandleFunc("GET /log", s.journal.serve(logFile))
	mux.HandleFunc("GET /events", s.journal.serve(eventsFile))
	mux.HandleFunc("GET /faults", s.faults.show)
	mux.HandleFunc("POST /faults", s.faults.set)
	mux.HandleFunc("DELETE /faults", s.faults.clear)
	mux.HandleFunc("GET /faults/tally", s.faults.tally)
	mux.HandleFunc("GET /settings.env", s.settingsEnv)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /assets/", assetHandler())
	mux.HandleFunc("/", s.notFound)

	// A page of another site must not press the inbox's buttons; clients that are no browsers send no Origin and pass.
	return securityHeaders(http.NewCrossOriginProtection().Handler(mux))
}

func (s *Sandbox) settingsEnv(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	settings := s.Settings()
	if r.URL.Query().Get("sign-in") == "oidc" {
		settings = s.SettingsOIDC()
	}
	for _, name := range sortedKeys(maps.Keys(settings)) {
		fmt.Fprintf(w, "%s=%s\n", name, settings[name])
	}
}
