package road

import (
	"context"
	"crypto/rand"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"countersign/internal/app"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/local"
	"countersign/internal/seal"
)

// mirror is a house whose Postgres has a hot standby that lists are read from.
type mirror struct {
	*house
	cluster *local.Cluster
	standby *local.Server
	there   local.Databases
}

// mirrored starts one. Its Postgres is its own, so that it may be stopped.
func mirrored(t testing.TB, options ...option) *mirror {
	t.Helper()
	m := &mirror{cluster: elsewhere(t)}
	c := &config.Config{DatabaseURL: config.Secret(m.cluster.Databases.App), MigrateDatabaseURL: config.Secret(m.cluster.Databases.Owner)}
	must(t, app.Migrate(context.Background(), c, io.Discard))
	var err error
	m.there, m.standby, err = m.cluster.StartStandby(context.Background(), "standby")
	must(t, err)
	m.house = open(t, append([]option{func(env map[string]string) {
		env["DATABASE_URL"], env["MIGRATE_DATABASE_URL"] = m.cluster.Databases.App, m.cluster.Databases.Owner
		env["DATABASE_REPLICA_URL"] = m.there.App
	}}, options...)...)
	return m
}

// at asks one of the two servers with the power over all of it.
func (m *mirror) at(address, sql string, into ...any) {
	m.t.Helper()
	ctx := context.Background()
	address = strings.Replace(address, "/postgres?", "/countersign?", 1)
	conn, err := pgx.Connect(ctx, address)
	must(m.t, err)
	defer conn.Close(ctx)
	if len(into) > 0 {
		must(m.t, conn.QueryRow(ctx, sql).Scan(into...))
		return
	}
	_, err = conn.Exec(ctx, sql)
	must(m.t, err)
}

// replayed waits until the standby has all that the primary has flushed.
func (m *mirror) replayed() {
	m.t.Helper()
	var place string
	m.at(m.cluster.Databases.Superuser, "SELECT pg_current_wal_flush_lsn()::text", &place)
	m.waitFor("the standby to replay", 30*time.Second, func() (there bool) {
		m.at(m.there.Superuser, "SELECT pg_last_wal_replay_lsn() >= '"+place+"'", &there)
		return there
	})
}

// pause stops the replay until resume.
func (m *mirror) pause() {
	m.t.Helper()
	m.at(m.there.Superuser, "SELECT pg_wal_replay_pause()")
	m.waitFor("the replay to be paused", 10*time.Second, func() bool {
		var is string
		m.at(m.there.Superuser, "SELECT pg_get_wal_replay_pause_state()", &is)
		return is == "paused"
	})
}

func (m *mirror) resume() {
	m.t.Helper()
	m.at(m.there.Superuser, "SELECT pg_wal_replay_resume()")
	m.replayed()
}

// set changes a setting of the standby alone.
func (m *mirror) set(setting string) {
	m.t.Helper()
	m.at(m.there.Superuser, "ALTER SYSTEM SET "+setting)
	m.at(m.there.Superuser, "SELECT pg_reload_conf()")
}

// events counts what is on the trail of a deed.
func (m *mirror) events(d clinic.Deed) (n int) {
	m.t.Helper()
	m.one(&n, "SELECT count(*) FROM audit_events WHERE deed = $1", string(d))
	return n
}

// trail is what is on the trail of a deed since a time, as far as it is the same for the same look.
func (m *mirror) trail(d clinic.Deed, since time.Time) (all string) {
	m.t.Helper()
	m.one(&all, `SELECT coalesce(string_agg(concat_ws(' ', actor_id, role, session_id IS NULL, subject_kind, CASE deed WHEN 'audit.export' THEN '' ELSE subject_id::text END,
		patient_id, outcome, reason, detail, ip, agent), E'\n' ORDER BY at, id), '') FROM audit_events WHERE deed = $1 AND at >= $2`, string(d), since)
	return all
}

// watcher sees which server each named query goes to, and may step in.
type watcher struct {
	standby uint16
	mu      sync.Mutex
	here    []string // what the primary was asked
	there   []string // and the standby
	before  func(ctx context.Context, there bool, query string) context.Context
	after   func(there bool, query string)
}

type asked struct{}

func (w *watcher) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return w.begins(ctx, conn, nameOf(data.SQL), nameOf(data.SQL))
}

func (w *watcher) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	var names []string
	for _, q := range data.Batch.QueuedQueries {
		names = append(names, nameOf(q.SQL))
	}
	return w.begins(ctx, conn, "batch", names...)
}

func nameOf(sql string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(sql, "-- name: "), " ")
	return name
}

func (w *watcher) begins(ctx context.Context, conn *pgx.Conn, name string, all ...string) context.Context {
	there := conn.Config().Port == w.standby
	w.mu.Lock()
	defer w.mu.Unlock()
	if there {
		w.there = append(w.there, all...)
	} else {
		w.here = append(w.here, all...)
	}
	if w.before != nil {
		ctx = w.before(ctx, there, name)
	}
	return context.WithValue(ctx, asked{}, name)
}

func (w *watcher) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	w.ends(ctx, conn)
}

func (w *watcher) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (w *watcher) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchEndData) {
	w.ends(ctx, conn)
}

func (w *watcher) ends(ctx context.Context, conn *pgx.Conn) {
	w.mu.Lock()
	after := w.after
	w.mu.Unlock()
	if name, _ := ctx.Value(asked{}).(string); after != nil {
		after(conn.Config().Port == w.standby, name)
	}
}

// stepIn has f called after each query.
func (w *watcher) stepIn(f func(there bool, query string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after = f
}

// take is what was asked since the last take: the names of our queries only.
func (w *watcher) take() (here, there []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ours := func(names []string) []string {
		return slices.DeleteFunc(names, func(n string) bool { return strings.ToLower(n) == n })
	}
	here, there, w.here, w.there = ours(w.here), ours(w.there), nil, nil
	return here, there
}

// process is a web's clinic of its own on both servers, and what it was seen to ask.
type process struct {
	*clinic.Clinic
	m    *mirror
	seen *watcher
	said map[string]int // lists by who answered and why
	mu   sync.Mutex
}

// process opens one. Without the replica it is as any was before there were any.
func (m *mirror) process(replica string) *process {
	m.t.Helper()
	var standby uint16
	if replica != "" {
		cfg, err := pgx.ParseConfig(replica)
		must(m.t, err)
		standby = cfg.Port
	}
	keys, err := seal.OpenKeyring(m.env["KEYSET"])
	must(m.t, err)
	times := clinic.DefaultTimes()
	times.ReplicaPause = time.Millisecond
	p := &process{m: m, seen: &watcher{standby: standby}, said: map[string]int{}}
	p.Clinic, err = clinic.Open(context.Background(), clinic.Config{DatabaseURL: m.cluster.Databases.App, ReplicaURL: replica, Keyring: keys, BaseURL: m.web,
		MaxConns: 4, Times: times, Tracer: p.seen, Listed: func(by, reason string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.said[strings.TrimSuffix(by+" "+reason, " ")]++
		}})
	must(m.t, err)
	m.t.Cleanup(p.Close)
	return p
}

func (p *process) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said[what]
}

// arrives opens a session of a person, and returns what finds it again as each request does.
func (p *process) arrives(subject string) func() clinic.Actor {
	p.m.t.Helper()
	ctx := context.Background()
	id := clinic.Identity{Method: clinic.ByAssertion, Issuer: p.m.config.Issuer(), Subject: subject, Email: subject + "@riverside.example", Name: subject, SignedInAt: time.Now()}
	_, _ = rand.Read(id.TokenHash[:])
	cookie, _, err := p.SessionOpen(ctx, clinic.Nobody("192.0.2.7", "test", ""), id, "")
	must(p.m.t, err)
	return func() clinic.Actor {
		p.m.t.Helper()
		a, err := p.SessionFind(ctx, clinic.Nobody("192.0.2.7", "test", ""), cookie, id, false)
		must(p.m.t, err)
		return a
	}
}

// warm waits until the standby answers: a machine with too much to do may take longer over a first connection than a list waits.
func (p *process) warm() {
	p.m.t.Helper()
	p.m.replayed()
	doctor := p.arrives("jonas-lindqvist")
	before := p.count("replica")
	p.m.waitFor("the standby to answer", 30*time.Second, func() bool {
		_, err := p.PatientList(context.Background(), doctor(), "")
		must(p.m.t, err)
		return p.count("replica") > before
	})
	p.m.replayed() // that answer's own event, too: the next list has to find it
	p.seen.take()
}

// answers fails unless the lists since the last take were answered by the standby, or none of them was. The primary is asked for
// sessions and events all the same, and maybe for more.
func (p *process) answers(what string, byStandby bool, more ...string) {
	p.m.t.Helper()
	here, there := p.seen.take()
	more = append(more, "SessionByToken", "AuditSeen", "AuditAppend", "MarkGet")
	here = slices.DeleteFunc(here, func(n string) bool { return slices.Contains(more, n) })
	there = slices.DeleteFunc(there, func(n string) bool { return n == "ReplicaState" })
	if byStandby && (len(there) == 0 || len(here) > 0) || !byStandby && len(here) == 0 {
		p.m.t.Errorf("%s: the primary was asked %v, the standby %v", what, here, there)
	}
}
