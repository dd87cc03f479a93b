// Package app joins the rooms: it is the one place that knows all of them, and only the commands and their tests know
// it. It holds what belongs to no room by itself: opening and closing in order, the hub that tells open pages what
// changed, the queue board's frame, migrations and the demo clinic.
//
// Order of a stop: the listener takes nothing new and requests in flight finish (or the worker's tasks do), then the
// database is let go, then Redis, then the last error reports are flushed. Nothing here waits for Postgres or Redis at
// the start: a process whose database is away serves 503 and recovers by itself.
package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/redis/go-redis/v9"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/fence"
	"countersign/internal/figures"
	"countersign/internal/limit"
	"countersign/internal/logging"
	"countersign/internal/metrics"
	"countersign/internal/openai"
	"countersign/internal/seal"
	"countersign/internal/sendgrid"
	"countersign/internal/twilio"
	"countersign/internal/worker"
)

// proofTime is how long every answer to a patient's proof takes.
const proofTime = 400 * time.Millisecond

// App is the joined house. Make one with Open and Close it.
type App struct {
	cfg      *config.Config
	log      *slog.Logger
	flush    func()
	metrics  *metrics.Metrics
	redis    *redis.Client
	connect  redisMaker
	hub      *Hub
	queue    *worker.Queue
	limits   *limit.Limiter
	clinic   *clinic.Clinic
	bucket   *blob.Bucket // nil without BLOB_URL
	fence    *fence.Fence
	sendgrid *sendgrid.Client
	twilio   *twilio.Client
	openai   *openai.Client
	keyMade  time.Time // of the key that wraps
	dial     string    // where the web's own socket is
	scored   scored
	recorder *figures.Recorder // the web's
}

// Open reads the keys and joins the rooms. It fails on settings that cannot work, and asks nobody outside.
func Open(ctx context.Context, cfg *config.Config) (*App, error) {
	a := &App{cfg: cfg, metrics: metrics.New()}
	a.log, a.flush = logging.Setup(os.Stdout, cfg.LogLevel, string(cfg.Env), cfg.SentryDSN.Reveal(), Version(), cfg.SentryTraces)
	var err error
	if a.connect, err = redisClients(cfg.RedisURL.Reveal()); err != nil {
		return nil, err
	}
	redis.SetLogger(redisLog{a.log})
	a.redis = a.connect()
	a.hub = NewHub(a.redis, a.log)
	a.queue = worker.NewQueue(a.redis)
	if a.bucket, err = openBucket(ctx, cfg); err != nil {
		return nil, err
	}
	if a.clinic, err = a.openClinic(ctx); err != nil {
		return nil, err
	}
	a.fence = fence.New(fence.Config{Clinic: a.clinic, Bucket: a.bucket, Every: cfg.Times.FenceEvery, Log: a.log, Report: logging.Capture})
	series := a.metrics.Registry()
	if err := errors.Join(series.Register(worker.NewAlertSeries(a.clinic)), series.Register(figures.NewSeries(a.clinic)), a.openProviders()); err != nil {
		a.clinic.Close()
		return nil, err
	}
	return a, nil
}

// openClinic opens the records with their keys. Nudge and Announce are best effort: the relay sends what a nudge did
// not, and pages ask by themselves while the hub is not healthy.
func (a *App) openClinic(ctx context.Context) (*clinic.Clinic, error) {
	set, text, err := openKeyset(ctx, a.cfg)
	if err != nil {
		return nil, err
	}
	keyring, err := seal.OpenKeyring(text)
	if err != nil {
		return nil, err
	}
	a.keyMade = set.Keys()[0].Made
	signer, known, err := openLedger(a.cfg)
	if err != nil {
		return nil, err
	}
	a.limits = limit.New(a.redis, keyring.MAC("limit"))
	t := a.cfg.Times
	var archives clinic.ArchivePlace // a nil bucket is no place
	if a.bucket != nil {
		archives = a.bucket
	}
	return clinic.Open(ctx, clinic.Config{
		DatabaseURL: a.cfg.DatabaseURL.Reveal(), ReplicaURL: a.cfg.DatabaseReplicaURL.Reveal(), Listed: a.metrics.Listed, Keyring: keyring, BaseURL: a.cfg.BaseURL, Model: a.cfg.OpenAI.Model, SignFresh: a.cfg.SignFresh,
		Times:    timesOf(t),
		MaxConns: int32(a.cfg.DatabaseMaxConns), Tracer: a.metrics.Tracer(), Fenced: a.cfg.BlobURL != "",
		Ledger: signer, LedgerKnown: known, Archives: archives,
		Nudge: func(ctx context.Context, due clinic.Due) {
			ctx, cancel := context.WithTimeout(ctx, t.NudgeTimeout)
			defer cancel()
			if err := a.queue.Enqueue(ctx, due); err != nil {
				a.log.DebugContext(ctx, "nudge failed; the relay will do it", "deed", due.Deed)
			}
		},
		Announce: func(ctx context.Context, names []string) {
			if err := a.hub.Publish(ctx, names); err != nil {
				a.log.DebugContext(ctx, "announcement failed; pages ask by themselves")
			}
		},
		Alarm: func(ctx context.Context, code string) {
			a.log.ErrorContext(ctx, "alarm", "code", code)
			logging.Capture(logging.WithTags(ctx, map[string]string{"code": code}), alarm(code))
		},
	})
}

// timesOf are the settings as the domain takes them.
func timesOf(t config.Times) clinic.Times {
	return clinic.Times{Lease: t.Lease, ProviderTime: t.ProviderTimeout, StartWindow: t.StartWindow, Reenqueue: t.Reenqueue,
		LookupGrace: t.LookupGrace, LookupAgain: t.LookupAgain, LookupUntil: t.LookupUntil, BreakerPause: t.BreakerPause,
		DraftLease: t.DraftLease, Proof: proofTime,
		Unread: clinic.Unread{First: t.RemindFirst, Second: t.RemindSecond, Call: t.CallAfter, Urgent: t.RemindUrgent, UrgentCall: t.CallUrgent}}
}

// openBucket opens the place outside the database, if there is one.
func openBucket(ctx context.Context, cfg *config.Config) (*blob.Bucket, error) {
	if cfg.BlobURL == "" {
		return nil, nil
	}
	return blob.Open(ctx, cfg.BlobURL)
}

func (a *App) openProviders() (err error) {
	if a.sendgrid, a.twilio, err = openSenders(a.cfg); err != nil {
		return err
	}
	a.openai, err = openai.New(openai.Config{BaseURL: a.cfg.OpenAI.BaseURL, APIKey: a.cfg.OpenAI.APIKey.Reveal(), Model: a.cfg.OpenAI.Model})
	return err
}

// openSenders opens the accounts that notices go out of. It asks nobody.
func openSenders(cfg *config.Config) (*sendgrid.Client, *twilio.Client, error) {
	timeout := cfg.Times.ProviderTimeout
	mail, err := sendgrid.New(sendgrid.Config{BaseURL: cfg.SendGrid.BaseURL, APIKey: cfg.SendGrid.APIKey.Reveal(), From: cfg.Mail.From,
		FromName: cfg.Mail.FromName, WebhookKeys: []string{cfg.SendGrid.WebhookKey}, Timeout: timeout, Activity: cfg.SendGrid.Activity})
	if err != nil {
		return nil, nil, err
	}
	text, err := twilio.New(twilio.Config{BaseURL: cfg.Twilio.BaseURL, AccountSID: cfg.Twilio.AccountSID, AuthToken: cfg.Twilio.AuthToken.Reveal(),
		PreviousToken: cfg.Twilio.AuthTokenPrevious.Reveal(), From: cfg.Twilio.From, PublicURL: cfg.BaseURL, Timeout: timeout})
	return mail, text, err
}

// alarm is a code as an error, for the error reporter.
type alarm string

func (a alarm) Error() string { return string(a) }

// SafeError tells the error reporter that the text may leave the house.
func (a alarm) SafeError() string { return string(a) }

// Clinic is the open house's domain, for commands that do deeds.
func (a *App) Clinic() *clinic.Clinic { return a.clinic }

// Log is the process's logger.
func (a *App) Log() *slog.Logger { return a.log }

// Close lets go of everything, in the order that the package's comment gives.
func (a *App) Close() error {
	a.clinic.Close()
	for _, provider := range []interface{ Close() }{a.sendgrid, a.twilio, a.openai} {
		provider.Close()
	}
	err := a.redis.Close()
	if a.bucket != nil {
		err = errors.Join(err, a.bucket.Close())
	}
	a.flush()
	return err
}

// Version is the revision that this binary was built from, or "dev".
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "dev"
}
