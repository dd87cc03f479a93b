// Package clinic is the domain: who may do what to whose records, and what is true afterwards. It knows Postgres,
// and it knows no HTTP, queue or provider. Each public method of Clinic is one deed: one permission, one transaction,
// one entry on the audit trail. The pool is unexported, so no other room can write to the database.
package clinic

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
	"countersign/internal/ledger"
	"countersign/internal/seal"
)

// Text is opened patient text. It prints as [patient]; Reveal is for templates and providers.
type Text = seal.Text

// Times are the delivery engine's clocks. Lease must be longer than StartWindow + ProviderTime.
type Times struct {
	Lease        time.Duration // how long a claim is good
	ProviderTime time.Duration // how long one HTTP attempt may take
	StartWindow  time.Duration // how long after the claim an attempt may still begin
	Reenqueue    time.Duration // how long a dispatched row may lie before it is dispatched again
	LookupGrace  time.Duration // how long evidence may take before an unknown delivery comes to a person
	LookupAgain  time.Duration // between two look-ups of what needs a person
	LookupUntil  time.Duration // how long what needs a person is looked up
	BreakerPause time.Duration // how long a channel's breaker stays open before a notice tries it; doubles to 10 min
	DraftLease   time.Duration
	ReplicaPause time.Duration // how long a replica that failed is left alone
	Proof        time.Duration // how long every answer to a patient's proof takes
	Unread       Unread        // what follows when nobody opens a message
}

// DefaultTimes are those of DELIVERY.
func DefaultTimes() Times {
	return Times{Lease: 90 * time.Second, ProviderTime: 20 * time.Second, StartWindow: 15 * time.Second,
		Reenqueue: time.Minute, LookupGrace: 15 * time.Minute, LookupAgain: 5 * time.Minute, LookupUntil: 24 * time.Hour,
		BreakerPause: 30 * time.Second, DraftLease: 2 * time.Minute, ReplicaPause: 5 * time.Second, Proof: 400 * time.Millisecond,
		Unread: Unread{First: 24 * time.Hour, Second: 72 * time.Hour, Call: 24 * time.Hour, Urgent: 2 * time.Hour, UrgentCall: time.Hour}}
}

// Config is what Open needs. Nudge, Announce and Alarm may be nil; they are best effort and run after the commit.
type Config struct {
	DatabaseURL string
	ReplicaURL  string // where lists may be read; empty: on the primary
	Keyring     *seal.Keyring
	BaseURL     string // public address, for links in notices and callbacks
	Model       string // the model whose prices bound a draft before it is asked for
	Times       Times
	SignFresh   time.Duration // who signs must have signed in within it; 0: four hours
	MaxConns    int32
	Fenced      bool             // nothing is sent before InstanceTrust
	Ledger      *ledger.Key      // seals the trail; nil: this process does not
	Archives    ArchivePlace     // where months that were taken out of the trail are, for who asks for a verification; may be nil
	LedgerKnown ledger.Verifiers // by whose keys the ledger's checkpoints may be signed
	Tracer      pgx.QueryTracer
	Now         func() time.Time
	Nudge       func(ctx context.Context, due Due)
	Announce    func(ctx context.Context, names []string)
	Alarm       func(ctx context.Context, code string) // something that people have to look at; the code is a word of ours
	Listed      func(by, reason string)                // with ReplicaURL: who answered a list, "replica" or "primary", and why the latter
}

// Clinic is the one door to the records.
type Clinic struct {
	pool      *pgxpool.Pool
	replica   *replica // nil: there is none
	keys      *seal.Keyring
	baseURL   string
	model     string
	times     Times
	signFresh time.Duration
	now       func() time.Time
	nudge     func(context.Context, Due)
	announce  func(context.Context, []string)
	alarm     func(context.Context, string)

	claims   *rides[*claim]
	records  *rides[*record]
	receipts *rides[*post]

	seal  *sealing // nil: this process does not seal
	known ledger.Verifiers
	old   ArchivePlace // the trail's older months; may be nil

	fits       atomic.Bool  // our keys have been seen to be this database's
	generation atomic.Int64 // the least that the database must have for this process to send from it
}

// Open prepares the pool. It does not wait for Postgres: a process that starts before its database serves 503 and
// recovers by itself.
func Open(ctx context.Context, cfg Config) (*Clinic, error) {
	pool, err := openPool(ctx, cfg, "DATABASE_URL", cfg.DatabaseURL)
	if err != nil {
		return nil, err
	}
	c := &Clinic{pool: pool, keys: cfg.Keyring, baseURL: cfg.BaseURL, model: cfg.Model, times: cfg.Times, signFresh: cfg.SignFresh, now: cfg.Now,
		nudge: cfg.Nudge, announce: cfg.Announce, alarm: cfg.Alarm, known: cfg.LedgerKnown, old: cfg.Archives}
	if cfg.Ledger != nil {
		c.seal = &sealing{key: cfg.Ledger, known: cfg.LedgerKnown}
	}
	if err := c.openReplica(ctx, cfg); err != nil {
		pool.Close()
		return nil, err
	}
	c.share()
	if cfg.Fenced {
		c.InstanceDoubt()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.signFresh == 0 {
		c.signFresh = signFresh
	}
	if c.times == (Times{}) {
		c.times = DefaultTimes()
	}
	if c.times.Unread == (Unread{}) {
		c.times.Unread = DefaultTimes().Unread
	}
	if c.nudge == nil {
		c.nudge = func(context.Context, Due) {}
	}
	if c.announce == nil {
		c.announce = func(context.Context, []string) {}
	}
	if c.alarm == nil {
		c.alarm = func(context.Context, string) {}
	}
	return c, nil
}

// openPool prepares connections to one server. It waits for nobody.
func openPool(ctx context.Context, cfg Config, setting, address string) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", setting, err)
	}
	pc.ConnConfig.ConnectTimeout = 3 * time.Second
	pc.ConnConfig.Tracer = cfg.Tracer
	pc.ConnConfig.RuntimeParams["application_name"] = "countersign"
	pc.AfterConnect = plainIDs
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	return pgxpool.NewWithConfig(ctx, pc)
}

// Close gives the connections back.
func (c *Clinic) Close() {
	c.pool.Close()
	if c.replica != nil {
		c.replica.pool.Close()
	}
}

// SchemaVersion is the migration this code was written for; Ready refuses an older one.
const SchemaVersion = 29

// Ready says whether Postgres answers, its migrations are at least ours and our keys are its patients'.
func (c *Clinic) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var version int
	var dirty bool
	if err := c.pool.QueryRow(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&version, &dirty); err != nil {
		return err
	}
	if dirty || version < SchemaVersion {
		return refuse(Unavailable, "migrations", "The database is not at this version's schema yet.")
	}
	return c.keysFit(ctx)
}

// Subject is what a deed is done to.
type Subject struct {
	Kind    string
	ID      uuid.UUID
	Patient uuid.UUID
}

// tx is one deed under way: one transaction, one time, one actor. Helpers below the public methods take it.
type tx struct {
	*db.Queries
	line    *line // and its writes that are put off
	c       *Clinic
	actor   Actor
	deed    Deed
	at      time.Time
	subject Subject
	detail  map[string]any
	silent  bool   // nothing was done: no event of its own
	refusal string // what was done is a refusal that has to be remembered, such as a wrong proof: its code
	written int    // audit events so far
	*news

	// read once, and not changed by the deeds that ask
	ours     *db.Clinic
	settings map[uuid.UUID]Settings // by doctor
}

// news is what a transaction tells once it is committed, whoever shares it.
type news struct {
	names  []string
	nudges []Due
	alarms []string
}

// do is the one door: may they, begin, fn, write the audit event, commit; then tell those who wait.
// after, if given, sees the finished deed once it is committed.
func (c *Clinic) do(ctx context.Context, a Actor, d Deed, s Subject, fn func(*tx) error, after ...func(*tx)) error {
	if !a.Can(d) {
		c.refused(ctx, a, d, s, "role")
		if a.Kind == ActorNobody {
			return refuse(Unauthenticated, "none", "Please sign in first.")
		}
		return refuse(Forbidden, "role", "Your role does not include this. If it should, ask an administrator.")
	}
	t, err := c.elsewhere(ctx, a, d, s, fn)
	if t == nil {
		t, err = c.here(ctx, a, d, s, fn)
	}
	if err != nil {
		if k := KindOf(err); k == Forbidden || k == NotFound || k == Unauthenticated {
			c.refused(ctx, t.actor, d, t.subject, Code(err))
		}
		return err
	}
	for _, f := range after {
		f(t)
	}
	c.tell(ctx, t.news)
	return nil
}

// here does a deed on the primary, in one transaction with its event.
func (c *Clinic) here(ctx context.Context, a Actor, d Deed, s Subject, fn func(*tx) error) (t *tx, err error) {
	if !views[d] && !onReplica[d] || d == AuditExport {
		a.writes()
	}
	err = c.transact(ctx, pgx.TxOptions{}, d, func(begun *tx) error {
		t = begun.as(a, s)
		err := fn(t)
		if err == nil && !t.silent {
			err = t.record(ctx)
		}
		return err
	})
	return t, err
}

// transact is a transaction of deeds of one kind: at one time, by one line, and with all that they put off in the database
// before the commit.
func (c *Clinic) transact(ctx context.Context, o pgx.TxOptions, d Deed, fn func(*tx) error) error {
	err := pgx.BeginTxFunc(ctx, opening{c.pool}, o, func(p pgx.Tx) error {
		l := &line{tx: p, first: true}
		err := fn(&tx{Queries: db.New(l), line: l, c: c, deed: d, at: c.now().UTC().Truncate(time.Microsecond), news: &news{}})
		if err == nil {
			err = l.flush(ctx)
		}
		if err == nil {
			faultpoint.Reach(string(d), "before-commit")
		}
		return err
	})
	if err == nil {
		faultpoint.Reach(string(d), "committed")
	}
	return err
}

// as is one actor's part in a transaction.
func (t *tx) as(a Actor, s Subject) *tx {
	one := *t
	one.actor, one.subject, one.detail = a, s, map[string]any{}
	return &one
}

// once makes a creation under an id that the form brought safe to repeat: of two at the same moment the later one
// finds the earlier one's row. An id that is taken where the actor may not look is NotFound.
func (c *Clinic) once(ctx context.Context, a Actor, d Deed, s Subject, key string, create func(*tx) error) error {
	err := c.do(ctx, a, d, s, create)
	if isUnique(err, key) {
		err = c.do(ctx, a, d, s, create)
	}
	if isUnique(err, key) {
		c.refused(ctx, a, d, s, "not_found")
		return notFound()
	}
	return err
}

// tell raises alarms, announces and nudges after the commit, for at most 300 ms, and never fails a deed that is done.
func (c *Clinic) tell(ctx context.Context, t *news) {
	for _, code := range t.alarms {
		c.alarm(ctx, code)
	}
	if len(t.names) == 0 && len(t.nudges) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 300*time.Millisecond)
	defer cancel()
	for _, n := range t.nudges {
		c.nudge(ctx, n)
	}
	if len(t.names) > 0 {
		slices.Sort(t.names)
		c.announce(ctx, slices.Compact(t.names))
	}
}

// changed notes that open pages showing this message, and the clinic's worklists, should ask again.
func (t *tx) changed(message uuid.UUID) {
	t.names = append(t.names, "message-"+message.String(), "worklist-"+t.clinicID().String())
}

func (t *tx) clinicID() uuid.UUID { return t.actor.ClinicID }

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
