package bench

import (
	"context"
	"fmt"
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
	appendRounds = 7 // single ones scatter by a tenth
	appendFor    = 2 * time.Second
	sealedFor    = 5 * time.Second // what came in its last half second is not sealed in it
	lagRate      = 1000            // events a second
	lagFor       = 15 * time.Second
	verified     = 1_000_000 // events
)

// BenchmarkLedger is the audit ledger's table: what sealing takes from appending, how far it is behind, and how fast all of it
// is verified.
func BenchmarkLedger(b *testing.B) {
	text, key, known := clinictest.LedgerKey(b)
	s := open(b)
	s.env["LEDGER_KEY"] = text
	l := &ledgerStage{stage: s, sealer: s.Again(b, clinictest.Sealing(key, known), func(c *clinic.Config) { c.Now = time.Now }), known: clinic.LedgerCheck{Known: known}}
	l.prepare()
	table := l.appending()
	table = append(table, l.lag())
	l.say("the lag of sealing is measured: %s", table[len(table)-1].figure)
	table = append(table, l.verifying(verified)...)
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

// appending compares, by turns: plainly, without the ledger's queue, and with it and a worker that seals.
func (l *ledgerStage) appending() []row {
	var plain, sealed, ratios []float64
	for range appendRounds {
		l.queue(false)
		before := l.loop(writers, appendFor, l.append)
		l.queue(true)
		c := l.crew(1, nil)
		l.await("the backlog to be sealed", 2*time.Minute, l.allSealed)
		with := l.loop(writers, sealedFor, l.append)
		c.stop()
		l.queue(false)
		after := l.loop(writers, appendFor, l.append)
		l.queue(true)
		plain, sealed, ratios = append(plain, before, after), append(sealed, with), append(ratios, with/(before+after)*2)
		l.say("plain %s and %s, sealed %s", perSecond(before), perSecond(after), perSecond(with))
		l.tidy()
	}
	with := against(fmt.Sprintf("events added by %d writers, a worker sealing", writers), median(sealed), "plainly", median(plain), 0.85)
	with.ratio, with.met = grouped(median(ratios)), median(ratios) >= 0.85
	return append([]row{with}, l.asides(median(sealed))...)
}

// asides are the queue without who seals, and the design that was not taken.
func (l *ledgerStage) asides(sealed float64) []row {
	var plain, queued, chained []float64
	for range rounds {
		queued = append(queued, l.loop(writers, appendFor, l.append))
		l.queue(false)
		plain = append(plain, l.loop(writers, appendFor, l.append))
		chained = append(chained, l.loop(writers, appendFor, l.chained))
		l.queue(true)
		l.tidy()
	}
	return []row{beside("  with the ledger's queue alone", median(queued), "plainly", median(plain)),
		beside("  beside a chain, row by row", sealed, "chained", median(chained))}
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
