package bench

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// How much the ledger's part of the bench does.
const (
	writers      = 16
	appendRounds = 3
	appendFor    = 3 * time.Second
	lagRate      = 1000 // events a second
	lagFor       = 15 * time.Second
	ledgerShort  = 200_000 // events that are verified
	ledgerLong   = 1_000_000
)

// BenchmarkLedger is the audit ledger's table: what sealing takes from appending, how far it is behind, and how fast all of it
// is verified.
func BenchmarkLedger(b *testing.B) {
	text, key, known := clinictest.LedgerKey(b)
	s := open(b)
	s.env["LEDGER_KEY"] = text
	l := &ledgerStage{stage: s, sealer: s.Again(b, clinictest.Sealing(key, known), func(c *clinic.Config) { c.Now = time.Now }), known: clinic.LedgerCheck{Known: known}}
	l.prepare()
	events := ledgerShort
	if os.Getenv("BENCH_LONG") != "" {
		events = ledgerLong
	}
	table := l.appending()
	table = append(table, l.lag())
	l.say("the lag of sealing is measured: %s", table[len(table)-1].figure)
	table = append(table, l.verifying(events)...)
	printTable(os.Stdout, "Countersign, the audit ledger: "+s.surroundings(), table)
}

// ledgerStage is a stage with a ledger.
type ledgerStage struct {
	*stage
	sealer *clinic.Clinic // seals where no worker does
	known  clinic.LedgerCheck
	rest   string // of an event's canonical bytes, from its clinic on
}

// prepare keeps one event as the pattern of all.
func (l *ledgerStage) prepare() {
	ctx := context.Background()
	a := l.Staff
	a.IP, a.Agent, a.RequestID = "198.51.100.7", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", uuid.NewString()
	_, err := l.Clinic.PatientShow(ctx, a, l.Patient)
	must(l.b, err)
	l.do("CREATE TABLE pattern AS SELECT * FROM audit_events WHERE deed = 'patient.show' ORDER BY at DESC LIMIT 1")
	var rec string
	l.one(&rec, "SELECT convert_from(rec, 'UTF8') FROM pattern")
	_, l.rest, _ = strings.Cut(rec, `,"clinic":`)
	l.do(`CREATE TABLE chain (n bigint PRIMARY KEY, event_id uuid NOT NULL, hash bytea NOT NULL)`)
	l.do(`INSERT INTO chain VALUES (0, gen_random_uuid(), sha256(''))`)
}

func (l *ledgerStage) do(sql string, args ...any) {
	l.b.Helper()
	_, err := l.own.Exec(context.Background(), sql, args...)
	must(l.b, err)
}

// appendOne adds an event as a deed does: columns, and the bytes that say the same.
const appendOne = `INSERT INTO audit_events SELECT $1, $2, clinic_id, actor_kind, actor_id, role, session_id, deed, subject_kind, subject_id, patient_id,
	outcome, reason, rev, detail, ip, agent, request_id, $3 FROM pattern`

// event is a new one: id, time and canonical bytes.
func (l *ledgerStage) event() (uuid.UUID, time.Time, []byte) {
	id, at := uuid.Must(uuid.NewV7()), time.Now().UTC().Truncate(time.Microsecond)
	return id, at, []byte(`{"v":1,"id":"` + id.String() + `","at":"` + at.Format(time.RFC3339Nano) + `","clinic":` + l.rest)
}

func (l *ledgerStage) append(ctx context.Context, pool *pgxpool.Pool, _ int) error {
	id, at, rec := l.event()
	_, err := pool.Exec(ctx, appendOne, id, at, rec)
	return err
}

// chained adds one under a lock, with the hash of its predecessor and itself: the design that was not taken.
func (l *ledgerStage) chained(ctx context.Context, pool *pgxpool.Pool, _ int) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7)"); err != nil {
			return err
		}
		id, at, rec := l.event()
		if _, err := tx.Exec(ctx, appendOne, id, at, rec); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO chain SELECT n + 1, $1, sha256(hash || $2) FROM chain ORDER BY n DESC LIMIT 1", id, rec)
		return err
	})
}

// appending compares, by turns: plainly, with the ledger's queue and a worker that seals, and chained.
func (l *ledgerStage) appending() []row {
	var plain, queued, sealed, chained, ratios []float64
	for range appendRounds {
		l.queue(false)
		plain = append(plain, l.loop(writers, appendFor, l.append))
		chained = append(chained, l.loop(writers, appendFor, l.chained))
		l.queue(true)
		queued = append(queued, l.loop(writers, appendFor, l.append))
		w := l.start("worker", nil, nil)
		l.await("the backlog to be sealed", 2*time.Minute, l.allSealed)
		sealed = append(sealed, l.loop(writers, appendFor, l.append))
		w.stop()
		l.queue(false)
		plain = append(plain, l.loop(writers, appendFor, l.append))
		n := len(plain)
		ratios = append(ratios, sealed[n/2-1]/(plain[n-2]+plain[n-1])*2)
		l.say("plain %s and %s, with the queue %s, sealed %s, chained %s", perSecond(plain[n-2]), perSecond(plain[n-1]), perSecond(queued[n/2-1]), perSecond(sealed[n/2-1]), perSecond(chained[n/2-1]))
		l.queue(true)
		l.tidy()
	}
	with := against("events added by 16 writers, a worker sealing", median(sealed), "plainly", median(plain), 0.85)
	with.ratio, with.met = grouped(median(ratios)), median(ratios) >= 0.85
	return []row{with, beside("  with the ledger's queue alone", median(queued), "plainly", median(plain)),
		beside("  beside a chain, row by row", median(sealed), "chained", median(chained))}
}

// queue says whether events are put into the ledger's queue: those that were not do not count for the ledger.
func (l *ledgerStage) queue(on bool) {
	if on {
		l.do("ALTER TABLE audit_events ENABLE TRIGGER audit_events_pend")
		return
	}
	l.do("ALTER TABLE audit_events DISABLE TRIGGER audit_events_pend")
}

func (l *ledgerStage) allSealed() bool {
	var waiting int
	l.one(&waiting, "SELECT count(*) FROM audit_pending")
	return waiting == 0
}
