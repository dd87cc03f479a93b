package clinic

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/db"
)

// onReplica are the deeds that may read on a replica, if there is one that has what they have to find: lists and reports of
// many rows. Their events are written on the primary all the same, before anybody sees the answer.
//
// What stays with the primary, and why: one record with what can be done to it, which is cheap to read and whose version the
// next act is held to; what is open by break-glass; sessions, people, roles, networks and settings, which are small and guard the
// rest; and status, alerts, jobs and queues, which people look at when the database is in trouble. The ledger is verified where
// it is written.
var onReplica = map[Deed]bool{
	WorklistShow: true, ReviewList: true,
	PatientList: true, PatientSearch: true,
	DeliveryList: true,
	TeamList:     true, TeamSearch: true,
	UsageShow: true, PromptList: true,
	AuditSearch: true, AuditOfPatient: true, AuditDisclosures: true,
	AuditExport: true, // its batches; that it began and how it ended is of the primary alone
}

// OnReplica are the deeds that may read on a replica, by name.
func OnReplica() []Deed { return slices.Sorted(maps.Keys(onReplica)) }

// How long a list waits for a replica before the primary has to answer.
const (
	replicaFirst  = 250 * time.Millisecond // for a connection and the replica's word that it has caught up
	replicaLimit  = 2 * time.Second        // for all of it
	replicaExport = 10 * time.Second       // for a batch of an export
	replicaWait   = 4 * time.Millisecond   // the longest of its waits, 7 ms in all, to get there
	replicaKnown  = 5 * time.Second        // how old a request's mark may be
)

// mark is a place in the log of one database on one timeline: who has replayed up to it has all that was committed before.
type mark struct {
	origin string
	at     int64
}

// seen is what the lists of one request have to find. A request that has set out to write finds it on the primary alone.
type seen struct {
	mark  mark
	until time.Time
	wrote atomic.Bool
}

// replica is a server that replays what the primary writes. It is never needed: whatever is the matter with it, the primary
// answers.
type replica struct {
	pool *pgxpool.Pool
	told func(by, reason string) // who answered a list, and why it was not the replica
	circuit
}

// Why the primary had to answer: the words of the log, the metric and the documents.
const (
	replicaBehind    = "behind"    // it lacks what was committed before the request
	replicaCancelled = "cancelled" // by its own recovery, or by a time limit of its own
	replicaAway      = "away"      // it cannot be reached
	replicaSlow      = "slow"
	replicaStranger  = "stranger" // no replica of this database, of this timeline, or none any more
	replicaFailed    = "failed"
	replicaPaused    = "paused" // it failed a moment ago and is not asked
	replicaWrote     = "wrote"  // the request itself has written
)

var (
	errBehind   = errors.New("clinic: the replica is behind")
	errStranger = errors.New("clinic: not a replica of this database and timeline")
	errPutsOff  = errors.New("clinic: a list wrote")
)

// replicaReason says what kept a replica from answering.
func replicaReason(err error) string {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, errBehind):
		return replicaBehind
	case errors.Is(err, errStranger):
		return replicaStranger
	case errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "57014"):
		return replicaCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return replicaSlow
	case isAway(err):
		return replicaAway
	}
	return replicaFailed
}

// marked is what the lists of a request have to find that began when the primary's log was at that place.
func (c *Clinic) marked(origin string, at int64) *seen {
	if c.replica == nil || origin == "" {
		return nil
	}
	return &seen{mark: mark{origin, at}, until: time.Now().Add(replicaKnown)}
}

// mark is what lists have to find that begin now; nil when the primary does not say, and has to answer.
func (c *Clinic) mark(ctx context.Context) *seen {
	if c.replica == nil {
		return nil
	}
	m, err := db.New(c.pool).MarkGet(ctx)
	if err != nil {
		return nil
	}
	return c.marked(m.Origin, m.At)
}

// good says whether there is a mark, and not one of long ago.
func (s *seen) good(now time.Time) bool { return s != nil && now.Before(s.until) }

// writes notes that the actor's request sets out to change something.
func (a Actor) writes() {
	if a.seen != nil {
		a.seen.wrote.Store(true)
	}
}

// list is do for a deed that shows many rows. Each attempt makes what it shows anew: what a replica began, the primary may
// have to do again.
func list[T any](ctx context.Context, c *Clinic, a Actor, d Deed, s Subject, look func(t *tx, one *T) error) (out T, err error) {
	err = c.do(ctx, a, d, s, func(t *tx) (err error) {
		var one T
		err = look(t, &one)
		out = one
		return err
	})
	return out, err
}

// elsewhere does a list's reading on the replica and then puts it on the trail, on the primary. It returns no tx when the
// primary has to read too.
func (c *Clinic) elsewhere(ctx context.Context, a Actor, d Deed, s Subject, fn func(*tx) error) (t *tx, err error) {
	if c.replica == nil || !onReplica[d] || d == AuditExport || !a.seen.good(time.Now()) {
		return nil, nil
	}
	if a.seen.wrote.Load() {
		c.replica.told("primary", replicaWrote)
		return nil, nil
	}
	read := &tx{c: c, deed: d, at: c.now().UTC().Truncate(time.Microsecond), news: &news{}}
	done, err := c.replica.read(ctx, a.seen.mark, replicaLimit, func(p pgx.Tx) error {
		t = read.as(a, s)
		return t.reads(p, fn)
	})
	if !done {
		return nil, nil
	}
	if err != nil || t.silent {
		return t, err
	}
	return t, c.transact(ctx, pgx.TxOptions{}, d, func(begun *tx) error {
		t.Queries, t.line = begun.Queries, begun.line
		return t.record(ctx)
	})
}

// reads does a list's function by a transaction in which nothing can be written. What it put off would be lost without a word, so
// that is an error, and the primary does all of it.
func (t *tx) reads(p pgx.Tx, fn func(*tx) error) error {
	t.line = &line{tx: p}
	t.Queries = db.New(t.line)
	if err := fn(t); err != nil || !t.line.any {
		return err
	}
	return errPutsOff
}

// read runs fn in a transaction on the replica that sees all that the mark has. done is false when the primary has to be
// asked; nothing of what fn did counts then. An error of ours is an answer like another.
func (r *replica) read(ctx context.Context, m mark, limit time.Duration, fn func(pgx.Tx) error) (done bool, err error) {
	if !r.ask(time.Now()) {
		r.told("primary", replicaPaused)
		return false, nil
	}
	err = r.attempt(ctx, m, limit, fn)
	var ours *Error
	switch {
	case err == nil || errors.As(err, &ours):
		if was := r.good(); was != "" {
			slog.WarnContext(ctx, "lists are read from the replica again", "was", was)
		}
		r.told("replica", "")
		return true, err
	case ctx.Err() != nil: // whoever asked has gone
		return false, nil
	}
	reason := replicaReason(err)
	if !passes(reason) {
		r.pool.Reset() // its address may lead to another server by now
	}
	if r.bad(time.Now(), reason) {
		slog.WarnContext(ctx, "lists are read from the primary", "reason", reason, "sqlstate", sqlState(err))
	}
	r.told("primary", reason)
	return false, nil
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// attempt is one transaction. READ COMMITTED is what makes it right: each of its statements sees what had been replayed when it
// began, and so all that caughtUp had seen before it. The one snapshot of REPEATABLE READ would be older than that answer.
func (r *replica) attempt(ctx context.Context, m mark, limit time.Duration, fn func(pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	first, enough := context.WithTimeout(ctx, replicaFirst)
	defer enough()
	p, err := r.pool.BeginTx(first, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = p.Rollback(ctx) }()
	if err := caughtUp(first, db.New(p), m, replicaWait); err != nil {
		return err
	}
	return fn(p)
}

// caughtUp waits until the replica has replayed up to the mark, at most as long as it is said: 1 ms, 2 ms, 4 ms and so on.
func caughtUp(ctx context.Context, q *db.Queries, m mark, longest time.Duration) error {
	for wait := time.Millisecond; ; wait *= 2 {
		s, err := q.ReplicaState(ctx)
		if err == nil {
			err = m.in(s)
		}
		if !errors.Is(err, errBehind) || wait > longest {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// in says whether a replica in that state has what the mark has.
func (m mark) in(s db.ReplicaStateRow) error {
	switch {
	case !s.Standby || s.Origin != m.origin:
		return errStranger
	case s.At < m.at:
		return errBehind
	}
	return nil
}

// openReplica prepares the connections to the replica, if there is to be one.
func (c *Clinic) openReplica(ctx context.Context, cfg Config) error {
	if cfg.ReplicaURL == "" {
		return nil
	}
	pool, err := openPool(ctx, cfg, "DATABASE_REPLICA_URL", cfg.ReplicaURL)
	if err != nil {
		return err
	}
	c.replica = &replica{pool: pool, told: cfg.Listed, circuit: circuit{pause: cmp.Or(cfg.Times.ReplicaPause, DefaultTimes().ReplicaPause)}}
	if c.replica.told == nil {
		c.replica.told = func(string, string) {}
	}
	return nil
}
