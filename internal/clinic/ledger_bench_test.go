package clinic_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// appendOne is one event in a transaction of its own: a copy of another, whose bytes it has.
const appendOne = `INSERT INTO audit_events SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'at', clock_timestamp()))).*
	FROM audit_events e WHERE (e.id, e.at) = ($1, $2)`

const benchWriters, benchTime = 16, 4 * time.Second

// BenchmarkLedgerAppend is how many events a second 16 writers add: plainly, without the ledger's queue, and with the ledger
// sealing meanwhile, by turns.
func BenchmarkLedgerAppend(b *testing.B) {
	var plain, sealed float64
	for range b.N {
		plain += appended(b, false)
		sealed += appended(b, true)
	}
	b.ReportMetric(plain/float64(b.N), "plain-events/s")
	b.ReportMetric(sealed/float64(b.N), "sealed-events/s")
	b.ReportMetric(100*sealed/plain, "%-of-plain")
	b.ReportMetric(0, "ns/op")
}

func appended(b *testing.B, withLedger bool) float64 {
	_, key, known := clinictest.LedgerKey(b)
	w := clinictest.New(b, clinictest.Sealing(key, known))
	if _, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient); err != nil {
		b.Fatal(err)
	}
	if !withLedger {
		if err := w.Exec(b, "ALTER TABLE audit_events DISABLE TRIGGER audit_events_pend"); err != nil {
			b.Fatal(err)
		}
	}
	settings, err := pgxpool.ParseConfig(w.URL)
	if err != nil {
		b.Fatal(err)
	}
	settings.MaxConns = benchWriters
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	var id uuid.UUID
	var at time.Time
	if err := pool.QueryRow(ctx, "SELECT id, at FROM audit_events WHERE deed = 'patient.show' LIMIT 1").Scan(&id, &at); err != nil {
		b.Fatal(err)
	}
	until, stop := context.WithTimeout(ctx, benchTime)
	defer stop()
	var n atomic.Int64
	var all sync.WaitGroup
	for range benchWriters {
		all.Go(func() {
			for until.Err() == nil {
				if _, err := pool.Exec(until, appendOne, id, at); err == nil {
					n.Add(1)
				} else if until.Err() == nil {
					b.Error(err)
					return
				}
			}
		})
	}
	if withLedger {
		all.Go(func() {
			for until.Err() == nil {
				if done, err := w.Clinic.LedgerSeal(ctx); err != nil {
					b.Error(err)
				} else if !done.More {
					time.Sleep(time.Second) // as the worker does
				}
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / benchTime.Seconds()
}

// BenchmarkLedgerVerify is how many events a second are verified, of 100,000.
func BenchmarkLedgerVerify(b *testing.B) {
	_, key, known := clinictest.LedgerKey(b)
	w := clinictest.New(b, clinictest.Sealing(key, known))
	if _, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient); err != nil {
		b.Fatal(err)
	}
	const events = 100_000
	err := w.Exec(b, `INSERT INTO audit_events SELECT (jsonb_populate_record(e, jsonb_build_object('id', ('0190' || lpad(to_hex(n), 8, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid))).*
		FROM audit_events e, generate_series(1, $1::int) n WHERE e.id = (SELECT id FROM audit_events WHERE deed = 'patient.show' LIMIT 1)`, events)
	if err == nil {
		err = w.Exec(b, "ALTER TABLE audit_events DISABLE TRIGGER ALL")
	}
	if err == nil { // each one's bytes say its own id
		err = w.Exec(b, `UPDATE audit_events SET rec = convert_to(regexp_replace(convert_from(rec, 'UTF8'), '"id":"[^"]*"', '"id":"' || id || '"'), 'UTF8')
			WHERE id::text LIKE '0190%'`)
	}
	for more := true; more && err == nil; {
		var done clinic.Sealed
		done, err = w.Clinic.LedgerSeal(ctx)
		more = done.More
	}
	if err == nil {
		err = w.Exec(b, "VACUUM ANALYZE")
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	began, verified := time.Now(), int64(0)
	for range b.N {
		r, err := w.Clinic.LedgerVerify(ctx, clinic.LedgerCheck{Known: known})
		if err != nil || len(r.Findings) > 0 {
			b.Fatal(err, r.Findings)
		}
		verified += r.Leaves
	}
	b.ReportMetric(float64(verified)/time.Since(began).Seconds(), "events/s")
}
