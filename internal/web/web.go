// Package web turns requests into deeds and their results into HTML.
//
// It knows addresses, cookies, headers, forms and templates. It knows no database, no queue and no provider, and it
// decides nothing about patients: who may do what is asked of clinic, whose errors it translates once, in fail.go.
// Begin with routes.go, which lists every address; render.go decides between page, content and partial.
package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
	"countersign/internal/identity"
	"countersign/internal/limit"
	"countersign/internal/metrics"
	"countersign/internal/score"
	"countersign/internal/waf"
)

// Hub tells open pages that something changed. It carries names such as message-<id>, never data.
type Hub interface {
	// Subscribe returns a channel of the names that changed and a function that ends the subscription. The channel
	// is closed when nothing more will come.
	Subscribe(names []string) (<-chan string, func())
	// Healthy is false while changes may be missed; pages then say so and ask by themselves.
	Healthy() bool
}

// Verifier is one provider's webhook. It judges the raw bytes and translates them; it stores nothing.
type Verifier interface {
	// Receipts returns what a verified report says, which may be nothing. delivery is the id in the address, or Nil.
	// Any error means that the report is a forgery or cannot be read.
	Receipts(r *http.Request, raw []byte, delivery uuid.UUID) ([]clinic.Receipt, error)
}

// ReplyVerifier is a provider's webhook for what patients send back.
type ReplyVerifier interface {
	// Reply returns what a verified message says.
	Reply(r *http.Request, raw []byte) (Reply, error)
}

// Reply is a text from a patient's phone.
type Reply struct {
	ProviderID string // the text's own id
	From, To   string // numbers
	Body       string
	OptOutType string // STOP, START or HELP when the provider has already answered it; else empty
}

// Config is everything the web process needs. Clinic, BaseURL, Templates, Static and one way to sign in (the three Access
// fields, or OIDC) are required; what is left out otherwise is off and answers 404.
type Config struct {
	Clinic         *clinic.Clinic
	Access         *identity.Access
	AccessIssuer   string // address of the sign-in provider, without a slash at the end
	AccessAudience string
	OIDC           *identity.OIDC // its answers come to BaseURL + /signed-in

	BaseURL        string // the public address, without a slash at the end
	Env            string // local, dev, staging or production: banner and style guide only
	Version        string
	Templates      fs.FS // layout.html is at the root
	Static         fs.FS // app.css is at the root
	TrustedProxies []netip.Prefix
	AddressHeader  string         // in which the trusted proxies tell the caller's address; empty: X-Forwarded-For
	CountryHeader  string         // in which they tell the country; empty: none is known
	Zone           *time.Location // how exact times are written; the clinic's own if nil

	Hub    Hub
	Limits *limit.Limiter // counts in this process alone if nil
	Rates  Rates
	Filter *waf.Filter // looks at requests for attacks; nobody does if nil
	// Fence says how this process stands to its database: ok, held, unchecked or off. Off if nil.
	Fence func() string
	// Score says how well the installation is guarded, given what its database shows. Nothing is looked at if nil.
	Score func(context.Context, clinic.Guards) score.Score
	// Vital counts what a browser measured on a page; false is for what is no measure. Nobody counts if nil.
	Vital    func(route, vital string, value float64) bool
	SendGrid Verifier
	Twilio   Verifier
	Inbound  ReplyVerifier // replies by SMS

	// Queues is the queue board under /ops/queues. It sets its own Content-Security-Policy. Asking needs queue.view,
	// changing queue.operate; QueuesReadOnly is what those see who may only look.
	Queues, QueuesReadOnly http.Handler

	Metrics *metrics.Metrics // a fresh one if nil
	// DrainDelay is how long everything is answered after Serve was asked to stop, DrainTime how long requests may take to end
	// after that.
	DrainDelay, DrainTime time.Duration

	// MetricsToken is the bearer token of /metrics; empty turns the address off.
	MetricsToken string

	Log *slog.Logger
	// Identify puts the request's id where log lines and fault reports find it.
	Identify func(ctx context.Context, requestID string) context.Context
	// Tag says which route pattern and code a fault belongs to, before it is reported.
	Tag func(ctx context.Context, tags map[string]string) context.Context
	// Report hears of errors nobody foresaw, Panicked of what a handler panicked with.
	Report   func(ctx context.Context, err error)
	Panicked func(ctx context.Context, value any)
	// Trace begins a trace of a request; done ends it under the route's pattern, or drops it without one. It may be nil.
	Trace func(ctx context.Context, op string) (_ context.Context, done func(name string, status, queries int))
	Now   func() time.Time
}

// Server answers requests. Make one by New.
type Server struct {
	cfg      Config
	gate     gate
	echo     *echo.Echo
	views    *views
	assets   *assets
	rules    rules
	table    []route // of every address, made once
	forms    map[string]fields
	patience patience
	host     string                        // the host part of BaseURL
	zone     atomic.Pointer[time.Location] // the clinic's, once it could be read
	lists    atomic.Pointer[clinic.Networks]
	draining chan struct{}
	ending   chan struct{} // of the streams
	once     sync.Once
	endOnce  sync.Once
}

// New parses every template, checks them against the code both ways, hashes the static files and lays the routes.
// Nothing outside is asked: a web process starts without its database and recovers by itself.
func New(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Path != "" {
		return nil, errors.New("web: BaseURL must be an address without a path")
	}
	s := &Server{cfg: cfg, rules: cfg.Rates.rules(), patience: defaultPatience, host: base.Host, draining: make(chan struct{}), ending: make(chan struct{})}
	s.gate = accessGate{s}
	if cfg.OIDC != nil {
		s.gate = oidcGate{s}
	}
	s.zone.Store(cfg.Zone)
	if s.assets, err = newAssets(cfg.Static); err != nil {
		return nil, fmt.Errorf("web: static files: %w", err)
	}
	if s.views, err = newViews(cfg.Templates, s.functions(), allScreens(), allParts()); err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	s.table = s.routes()
	if s.forms, err = layForms(s.table); err != nil {
		return nil, err
	}
	s.echo = s.newEcho()
	return s, nil
}

func (cfg *Config) complete() error {
	if cfg.Clinic == nil || cfg.Templates == nil || cfg.Static == nil {
		return errors.New("web: Clinic, Templates and Static are required")
	}
	access := cfg.Access != nil && cfg.AccessIssuer != "" && cfg.AccessAudience != ""
	if access == (cfg.OIDC != nil) || cfg.Access != nil && cfg.OIDC != nil {
		return errors.New("web: one way to sign in is required: Access, AccessIssuer and AccessAudience, or OIDC")
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.Hub == nil {
		cfg.Hub = deaf{}
	}
	if cfg.Limits == nil {
		cfg.Limits = limit.New(nil, []byte(rand.Text()))
	}
	if cfg.Fence == nil {
		cfg.Fence = func() string { return "off" }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Identify == nil {
		cfg.Identify = func(ctx context.Context, _ string) context.Context { return ctx }
	}
	if cfg.Tag == nil {
		cfg.Tag = func(ctx context.Context, _ map[string]string) context.Context { return ctx }
	}
	if cfg.Report == nil {
		cfg.Report = func(context.Context, error) {}
	}
	if cfg.Trace == nil {
		cfg.Trace = func(ctx context.Context, _ string) (context.Context, func(string, int, int)) {
			return ctx, func(string, int, int) {}
		}
	}
	if cfg.Panicked == nil {
		cfg.Panicked = func(context.Context, any) {}
	}
	if cfg.Metrics == nil {
		cfg.Metrics = metrics.New()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.DrainDelay <= 0 {
		cfg.DrainDelay = lingerTime
	}
	if cfg.DrainTime <= 0 || cfg.DrainTime > requestTime {
		cfg.DrainTime = requestTime
	}
	return nil
}

// deaf is the hub of a process without one.
type deaf struct{}

func (deaf) Subscribe([]string) (<-chan string, func()) { return make(chan string), func() {} }
func (deaf) Healthy() bool                              { return false }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.isDraining() { // whoever keeps connections takes the next one elsewhere
		w.Header().Set("Connection", "close")
	}
	s.echo.ServeHTTP(w, r)
}

// Drain makes /readyz say so. Everything is still answered.
func (s *Server) Drain() { s.once.Do(func() { close(s.draining) }) }

func (s *Server) endStreams() { s.endOnce.Do(func() { close(s.ending) }) }

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}
