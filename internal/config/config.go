// Package config reads the environment once, at the start, and complains about
// everything that is wrong with it in one go.
//
// It knows the names, defaults and limits of the settings, and which of them
// staging and production refuse. It does not open anything: a Config that
// loaded may still name a database that is away. Nothing in it prints a secret.
package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Env is the stage that the process runs in. It decides log detail, banner and
// refusals; never how signing in, drafting or sending work.
type Env string

// The four stages.
const (
	Local      Env = "local"
	Dev        Env = "dev"
	Staging    Env = "staging"
	Production Env = "production"
)

// Guarded reports whether the stage holds real people's data, and therefore
// refuses sandbox addresses, plain http and plain-text database connections.
func (e Env) Guarded() bool { return e == Staging || e == Production }

// LogLevel is how much the log tells unless LOG_LEVEL says otherwise: all of it where people build, what happened to each message
// where they rehearse, and where it is earnest only what somebody has to know or an auditor may ask for.
func (e Env) LogLevel() string {
	switch e {
	case Local, Dev:
		return "debug"
	case Staging:
		return "info"
	}
	return "notice"
}

// Config is every setting of the web and worker processes.
type Config struct {
	Env        Env    `env:"APP_ENV"`
	Host       string `env:"HOST"` // which of this machine's addresses to listen on; empty: all of them, as platforms expect
	Port       int    `env:"PORT" envDefault:"8080"`
	WorkerPort int    `env:"WORKER_PORT"` // where the worker answers health checks; 0: nowhere
	BaseURL    string `env:"BASE_URL"`    // the public address, without a slash at the end; default http://localhost:PORT

	DatabaseURL        Secret `env:"DATABASE_URL"`                       // as the app's role
	MigrateDatabaseURL Secret `env:"MIGRATE_DATABASE_URL"`               // as the owner; default DatabaseURL
	DatabaseReplicaURL Secret `env:"DATABASE_REPLICA_URL"`               // a streaming replica for lists, as the app's role; empty: none
	DatabaseMaxConns   int    `env:"DATABASE_MAX_CONNS" envDefault:"16"` // the most connections of one process
	DatabaseTLS        string `env:"DATABASE_TLS" envDefault:"verified"` // what a connection elsewhere must be: verified, or only encrypted
	RedisURL           Secret `env:"REDIS_URL"`
	Keyset             Secret `env:"KEYSET"`           // for seal.OpenKeyring; encrypted if KeysetKMS is set
	KeysetKMS          string `env:"KEYSET_KMS"`       // the key service that decrypts Keyset, as an address; empty: none
	BlobURL            string `env:"BLOB_URL"`         // the place outside the database; empty: no restore fence
	LedgerKey          Secret `env:"LEDGER_KEY"`       // signs the audit ledger's checkpoints; empty: nothing is sealed
	LedgerVerifiers    string `env:"LEDGER_VERIFIERS"` // of the keys before it, with commas

	Backup Backup `envPrefix:"BACKUP_"`
	PGBin  string `env:"PG_BIN"` // the folder of pg_dump and pg_restore; empty: where they are usually

	Access         Access         `envPrefix:"ACCESS_"` // people sign in through one of the two
	OIDC           OIDC           `envPrefix:"OIDC_"`
	SignFresh      time.Duration  `env:"SIGN_FRESH" envDefault:"4h"` // who signs must have signed in within it
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`            // whose forwarding and Access headers are believed
	AddressHeader  string         `env:"ADDRESS_HEADER"`             // in which they tell the caller's address; empty: X-Forwarded-For
	CountryHeader  string         `env:"COUNTRY_HEADER"`             // in which they tell the caller's country; empty: nowhere
	WAF            string         `env:"WAF" envDefault:"off"`       // the filter for deployments without one at their edge: off, detect, block

	SendGrid SendGrid `envPrefix:"SENDGRID_"`
	Mail     Mail     `envPrefix:"MAIL_"`
	Twilio   Twilio   `envPrefix:"TWILIO_"`
	OpenAI   OpenAI   `envPrefix:"OPENAI_"`

	Limits Limits `envPrefix:"LIMIT_"`

	Alert        Alert  `envPrefix:"ALERT_"`
	HeartbeatURL Secret `env:"HEARTBEAT_URL"` // called after each evaluation of the alert rules; empty: nobody

	SentryDSN    Secret  `env:"SENTRY_DSN"`                   // empty: nothing is sent to Sentry
	SentryTraces float64 `env:"SENTRY_TRACES" envDefault:"0"` // the share of requests and tasks that are traced there, 0 to 1
	MetricsToken Secret  `env:"METRICS_TOKEN"`                // empty: /metrics answers 404
	ProbeURL     string  `env:"PROBE_URL"`                    // what the worker asks each minute, for uptime; default BaseURL + /readyz
	LogLevel     string  `env:"LOG_LEVEL"`                    // empty: what the stage wants

	WorkerConcurrency int           `env:"WORKER_CONCURRENCY" envDefault:"64"` // notices and drafts under way at once in one worker
	ShutdownTimeout   time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"25s"`  // how long stopping may take
	DrainDelay        time.Duration `env:"DRAIN_DELAY" envDefault:"1s"`        // how much of it web goes on serving, until the router has noticed
	Times             Times         `envPrefix:"TIME_"`
}

// Backup is where backups go, and who may open them.
type Backup struct {
	URL        string `env:"URL"`        // the place; empty: BLOB_URL
	Recipients string `env:"RECIPIENTS"` // whom they are encrypted to, with commas; empty: nobody, in local and dev
}

// Access is the Cloudflare Access application that people sign in through.
type Access struct {
	Issuer   string `env:"ISSUER"` // exactly the iss claim
	Audience string `env:"AUD"`    // must be in the aud claim
}

// OIDC is the client of an OpenID provider that people sign in through.
type OIDC struct {
	Issuer       string `env:"ISSUER"` // exactly the iss claim
	ClientID     string `env:"CLIENT_ID"`
	ClientSecret Secret `env:"CLIENT_SECRET"`
}

// Issuer is who vouches for the people who sign in, whichever way.
func (c *Config) Issuer() string {
	if c.OIDC.Issuer != "" {
		return c.OIDC.Issuer
	}
	return c.Access.Issuer
}

// SendGrid is the account that e-mail goes out of.
type SendGrid struct {
	BaseURL    string `env:"BASE_URL" envDefault:"https://api.sendgrid.com"`
	APIKey     Secret `env:"API_KEY"`
	WebhookKey string `env:"WEBHOOK_KEY"` // base64 of an ECDSA public key in DER
	Activity   bool   `env:"ACTIVITY"`    // the account has the Email Activity API, so what is unknown can be looked up
}

// Mail is who e-mail comes from.
type Mail struct {
	From     string `env:"FROM"`
	FromName string `env:"FROM_NAME"`
}

// Twilio is the account that texts go out of.
type Twilio struct {
	BaseURL           string `env:"BASE_URL" envDefault:"https://api.twilio.com"`
	AccountSID        string `env:"ACCOUNT_SID"`
	AuthToken         Secret `env:"AUTH_TOKEN"`
	AuthTokenPrevious Secret `env:"AUTH_TOKEN_PREVIOUS"` // still accepted on webhooks while tokens change
	From              string `env:"FROM"`                // a number like +15550100, or a messaging service's MG… id
}

// OpenAI is the model that drafts.
type OpenAI struct {
	BaseURL string `env:"BASE_URL" envDefault:"https://api.openai.com/v1"`
	APIKey  Secret `env:"API_KEY"`
	Model   string `env:"MODEL" envDefault:"gpt-4.1-mini-2025-04-14"`
}

// Alert is how operators are told of alerts, beside Sentry.
type Alert struct {
	Email         string        `env:"EMAIL"`                  // to whom; empty: nobody
	WebhookURL    Secret        `env:"WEBHOOK_URL"`            // empty: none
	WebhookSecret Secret        `env:"WEBHOOK_SECRET"`         // whsec_ and base64, as Standard Webhooks has it
	Repeat        time.Duration `env:"REPEAT" envDefault:"4h"` // until they are told again of what nobody has acknowledged
	Off           []string      `env:"OFF" envSeparator:","`   // rules that are left out
}

// Limits are how often one address or person may ask.
type Limits struct {
	Address    int `env:"ADDRESS" envDefault:"100"`   // a signed-out caller, a minute
	Person     int `env:"PERSON" envDefault:"500"`    // a signed-in person, a minute
	SignIn     int `env:"SIGN_IN" envDefault:"10"`    // sign-ins of a person, in 15 minutes
	Unverified int `env:"UNVERIFIED" envDefault:"60"` // webhooks with a bad signature from one address, a minute
}

// Times are the waits of delivery and drafting. They are settings so that a
// chaos run can use a short set with the same code. Load refuses a set in which
// a send could outlive its lease.
type Times struct {
	Lease           time.Duration `env:"LEASE" envDefault:"90s"`            // how long a claim on a delivery holds
	ProviderTimeout time.Duration `env:"PROVIDER_TIMEOUT" envDefault:"20s"` // one call to a provider
	StartWindow     time.Duration `env:"START_WINDOW" envDefault:"15s"`     // a claim older than this no longer starts a call
	Reenqueue       time.Duration `env:"REENQUEUE" envDefault:"60s"`        // when a queued row is handed to the queue again
	RelayEvery      time.Duration `env:"RELAY_EVERY" envDefault:"1s"`       // between two looks at what is due
	NudgeTimeout    time.Duration `env:"NUDGE_TIMEOUT" envDefault:"300ms"`  // the best-effort enqueue after a commit
	ReconcileEvery  time.Duration `env:"RECONCILE_EVERY" envDefault:"15s"`  // between two looks for expired leases, and at what is unknown
	LookupGrace     time.Duration `env:"LOOKUP_GRACE" envDefault:"15m"`     // how long evidence may take before a person is asked
	LookupAgain     time.Duration `env:"LOOKUP_AGAIN" envDefault:"5m"`      // between two look-ups of what needs a person
	LookupUntil     time.Duration `env:"LOOKUP_UNTIL" envDefault:"24h"`     // how long what needs a person is looked up
	BreakerPause    time.Duration `env:"BREAKER_PAUSE" envDefault:"30s"`    // how long a channel that failed is left alone before one notice tries it
	FenceEvery      time.Duration `env:"FENCE_EVERY" envDefault:"10s"`      // between two beats of the installation: how much a restored database may lose unnoticed
	SealEvery       time.Duration `env:"SEAL_EVERY" envDefault:"1s"`        // between two sealings of what is new on the audit trail
	AnchorEvery     time.Duration `env:"ANCHOR_EVERY" envDefault:"1m"`      // between two checkpoints that are written outside the database
	AlertEvery      time.Duration `env:"ALERT_EVERY" envDefault:"1m"`       // between two evaluations of the alert rules, of all workers together
	FiguresEvery    time.Duration `env:"FIGURES_EVERY" envDefault:"15s"`    // between two writes of what a process counted
	RemindEvery     time.Duration `env:"REMIND_EVERY" envDefault:"5m"`      // between two looks at messages that nobody has opened
	RemindFirst     time.Duration `env:"REMIND_FIRST" envDefault:"24h"`     // from a notice to the first reminder
	RemindSecond    time.Duration `env:"REMIND_SECOND" envDefault:"72h"`    // from a notice to the second
	RemindUrgent    time.Duration `env:"REMIND_URGENT" envDefault:"2h"`     // from an urgent notice to its one reminder
	CallAfter       time.Duration `env:"CALL_AFTER" envDefault:"24h"`       // from the last reminder to the task to call the patient
	CallUrgent      time.Duration `env:"CALL_URGENT" envDefault:"1h"`       // the same of an urgent message
	DraftLease      time.Duration `env:"DRAFT_LEASE" envDefault:"120s"`     // how long a claim on a draft request holds
}

// Load reads the whole configuration. The error is a Complaints with a sentence
// for each thing that is wrong, naming its variable.
func Load(getenv func(string) string) (*Config, error) {
	c, complaints := read(getenv)
	complaints = append(complaints, c.checkStore()...)
	complaints = append(complaints, c.checkWeb()...)
	complaints = append(complaints, c.checkProviders()...)
	complaints = append(complaints, c.checkRunning()...)
	complaints = append(complaints, c.checkAlerts()...)
	return c.orComplain(complaints)
}

// LoadStore is Load for tools that use only the databases and keys, such as
// migrate and seed: it complains about those and does not ask for the rest.
func LoadStore(getenv func(string) string) (*Config, error) {
	c, complaints := read(getenv)
	return c.orComplain(append(complaints, c.checkStore()...))
}

// Complaints is everything that is wrong with an environment, a sentence each.
type Complaints []string

// Error is the sentences, one per line.
func (c Complaints) Error() string { return strings.Join(c, "\n") }

// orComplain keeps the first complaint about each variable: a value that could
// not be read is not also out of range.
func (c *Config) orComplain(complaints Complaints) (*Config, error) {
	if len(complaints) == 0 {
		return c, nil
	}
	seen := map[string]bool{}
	return nil, slices.DeleteFunc(complaints, func(sentence string) bool {
		name, _, _ := strings.Cut(sentence, " ")
		again := seen[name]
		seen[name] = true
		return again
	})
}
