package bench

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// lag is how long an event waits to be sealed by a worker while a thousand come each second.
func (l *ledgerStage) lag() row {
	w := l.start("worker", nil, nil)
	defer w.stop()
	l.await("the worker to seal", time.Minute, l.allSealed)
	var before int64
	l.one(&before, "SELECT coalesce(max(leaf), -1) FROM ledger_leaves")
	type look struct {
		at   time.Time
		leaf int64
	}
	var looks []look
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() {
		for tick := time.NewTicker(20 * time.Millisecond); watching.Err() == nil; <-tick.C {
			var leaf int64
			if l.own.QueryRow(watching, "SELECT coalesce(max(leaf), -1) FROM ledger_leaves").Scan(&leaf) == nil {
				looks = append(looks, look{time.Now(), leaf})
			}
		}
	})
	added := l.paced(lagRate, lagFor)
	l.await("all to be sealed", time.Minute, l.allSealed)
	time.Sleep(50 * time.Millisecond) // the last look
	stop()
	watch.Wait()
	rows, err := l.own.Query(context.Background(), "SELECT leaf, at FROM ledger_leaves WHERE leaf > $1 ORDER BY leaf", before)
	must(l.b, err)
	defer rows.Close()
	var lags []time.Duration
	i := 0
	for rows.Next() {
		var leaf int64
		var at time.Time
		must(l.b, rows.Scan(&leaf, &at))
		for i < len(looks) && looks[i].leaf < leaf {
			i++
		}
		if i < len(looks) {
			lags = append(lags, looks[i].at.Sub(at))
		}
	}
	must(l.b, rows.Err())
	if len(lags) < added {
		l.b.Errorf("%d events were added, the sealing of %d was seen", added, len(lags))
	}
	slices.Sort(lags)
	p99 := lags[len(lags)*99/100]
	return row{what: fmt.Sprintf("until an event is sealed, %s coming, p99", perSecond(float64(added)/lagFor.Seconds())), figure: milliseconds(p99),
		beside: "p50 " + milliseconds(lags[len(lags)/2]), goal: "under 2 s", met: p99 < 2*time.Second && float64(added) > 0.95*lagRate*lagFor.Seconds()}
}

// paced adds events at a rate, and says how many.
func (l *ledgerStage) paced(rate int, d time.Duration) (added int) {
	due := make(chan struct{}, rate)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range due {
				must(l.b, l.append(context.Background(), l.own, 0))
			}
		})
	}
	began := time.Now()
	for tick := time.NewTicker(5 * time.Millisecond); time.Since(began) < d; <-tick.C {
		for ; added < int(time.Since(began).Seconds()*float64(rate)); added++ {
			due <- struct{}{}
		}
	}
	close(due)
	all.Wait()
	return added
}

// verifying measures on a trail of its own size, and has one bit of it changed at random, some times.
func (l *ledgerStage) verifying(events int) []row {
	l.fill(events)
	var rates, plain, ratios []float64
	for range rounds {
		copied := l.copied()
		began := time.Now()
		r, err := l.sealer.LedgerVerify(context.Background(), l.known)
		must(l.b, err)
		if len(r.Findings) > 0 || r.Leaves < int64(events) {
			l.b.Fatalf("before anything was changed: %+v", r)
		}
		rates, plain = append(rates, float64(r.Leaves)/time.Since(began).Seconds()), append(plain, copied)
		ratios = append(ratios, rates[len(rates)-1]/copied)
		l.say("verified %s; copied and hashed %s", perSecond(rates[len(rates)-1]), perSecond(copied))
	}
	verified := row{what: fmt.Sprintf("events verified, of %s", grouped(float64(events))), figure: perSecond(median(rates)), beside: "COPY and SHA-256 " + perSecond(median(plain)),
		ratio: grouped(median(ratios)), goal: "at least 300,000 /s", met: median(rates) >= 300_000}
	found := 0
	for range rounds {
		if l.flipped() {
			found++
		}
	}
	return []row{verified, {what: "one bit of one of them, changed by the owner", figure: fmt.Sprintf("found %d of %d times, by name", found, rounds), goal: "always", met: found == rounds}}
}

// fill makes the trail anew, of so many events that say different things, and has it sealed.
func (l *ledgerStage) fill(events int) {
	l.do("ALTER TABLE audit_events DISABLE TRIGGER ALL")
	for _, table := range []string{"ledger_leaves", "ledger_checkpoints"} {
		l.do("ALTER TABLE " + table + " DISABLE TRIGGER ALL")
		l.do("DELETE FROM " + table)
	}
	l.do("DELETE FROM audit_pending")
	l.do("DELETE FROM audit_events")
	l.do(`INSERT INTO audit_events SELECT i.id, i.at, p.clinic_id, p.actor_kind, p.actor_id, p.role, p.session_id, p.deed, p.subject_kind, p.subject_id, p.patient_id, p.outcome,
			p.reason, p.rev, p.detail, p.ip, p.agent, p.request_id,
			convert_to(format('{"v":1,"id":"%s","at":"%sZ","clinic":%s', i.id, to_char(i.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), $2::text), 'UTF8')
		FROM pattern p, (SELECT ('0190' || lpad(to_hex(n), 8, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS id,
			date_trunc('second', now()) - interval '1 hour' + n * interval '1 millisecond' + interval '1 microsecond' AS at FROM generate_series(1, $1::int) n) i`, events, l.rest)
	l.do("INSERT INTO audit_pending (event_id, clinic_id, at) SELECT id, clinic_id, at FROM audit_events")
	l.tidy()
	for more := true; more; {
		done, err := l.sealer.LedgerSeal(context.Background())
		must(l.b, err)
		more = done.More
	}
	l.tidy()
}

// copied is how many events a second leave Postgres and are hashed when nothing is looked at.
func (l *ledgerStage) copied() float64 {
	var events int64
	began := time.Now()
	must(l.b, l.own.AcquireFunc(context.Background(), func(c *pgxpool.Conn) error {
		tag, err := c.Conn().PgConn().CopyTo(context.Background(), sha256.New(), "COPY (SELECT * FROM audit_events) TO STDOUT (FORMAT binary)")
		events = tag.RowsAffected()
		return err
	}))
	return float64(events) / time.Since(began).Seconds()
}

// flipped changes one bit of some event and changes it back: was it found by name?
func (l *ledgerStage) flipped() bool {
	ctx := context.Background()
	var last int64
	l.one(&last, "SELECT max(leaf) FROM ledger_leaves")
	var event string
	must(l.b, l.own.QueryRow(ctx, "SELECT event_id::text FROM ledger_leaves WHERE leaf = $1", rand.Int64N(last)).Scan(&event))
	bit := rand.IntN(8 * 200)
	flip := func() {
		_, err := l.own.Exec(ctx, "UPDATE audit_events SET rec = set_bit(rec, $1, 1 - get_bit(rec, $1)) WHERE id::text = $2", pgx.QueryExecModeExec, bit, event)
		must(l.b, err)
	}
	flip()
	r, err := l.sealer.LedgerVerify(ctx, l.known)
	must(l.b, err)
	flip()
	return len(r.Findings) > 0 && r.Findings[0].Event != nil && r.Findings[0].Event.String() == event
}
