package fence

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func credentials() {
	_ = os.Setenv("AWS_ACCESS_KEY_ID", "a-key-for-tests-only")
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-for-tests-only")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	mine, other, a, b := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	now := clinic.Instance{Lineage: mine, Generation: 7, Beat: a}
	anchored := now
	anchored.Anchored = true
	file := func(lineage uuid.UUID, generation int64, beat uuid.UUID) *anchor {
		return &anchor{Lineage: lineage, Generation: generation, Beat: beat}
	}
	remember := func(lineage uuid.UUID, generation int64) *clinic.Instance {
		return &clinic.Instance{Lineage: lineage, Generation: generation}
	}
	for name, tt := range map[string]struct {
		now      clinic.Instance
		outside  *anchor
		readable bool
		memory   *clinic.Instance
		reason   string
		blind    bool
	}{
		"the first start":                           {now, nil, true, nil, "", false},
		"as it was left":                            {anchored, file(mine, 7, a), true, nil, "", false},
		"a crash before the file was written":       {anchored, file(mine, 6, b), true, nil, "", false},
		"restored":                                  {anchored, file(mine, 8, b), true, nil, clinic.HeldBehind, false},
		"restored to before the fence":              {now, file(other, 8, b), true, nil, clinic.HeldLineage, false},
		"a copy, after the other one was chosen":    {anchored, file(other, 3, b), true, remember(mine, 7), clinic.HeldLineage, false},
		"two databases with the same count":         {anchored, file(mine, 7, b), true, remember(mine, 6), clinic.HeldFork, false},
		"the file is gone at the start":             {anchored, nil, true, nil, clinic.HeldMissing, false},
		"the file is gone while it runs":            {anchored, nil, true, remember(mine, 6), "", false},
		"the file cannot be read at the start":      {anchored, nil, false, nil, "", true},
		"the file cannot be read while it runs":     {anchored, nil, false, remember(mine, 7), "", false},
		"restored beneath a running process":        {anchored, nil, false, remember(mine, 8), clinic.HeldBehind, false},
		"restored, and the file was late":           {anchored, file(mine, 6, b), true, remember(mine, 8), clinic.HeldBehind, false},
		"exchanged, and the file cannot be read":    {anchored, nil, false, remember(other, 2), "", true},
		"lifted meanwhile, under another lineage":   {anchored, file(mine, 7, a), true, remember(other, 3), "", false},
		"exchanged for one that never had the file": {now, nil, true, remember(other, 3), "", false},
	} {
		if reason, blind := judge(tt.now, tt.outside, tt.readable, tt.memory); reason != tt.reason || blind != tt.blind {
			t.Errorf("%s: %q, blind %v", name, reason, blind)
		}
	}
}

// The first worker writes the file; from then on it follows the database, and every process may send.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Approved(t, w.Patient, "email")
	f, c := w.fence(t, w.URL)
	if f.Word() != Unchecked || w.sends(t, c) {
		t.Error("it sends before it has looked")
	}
	look(t, f, 3, Open)
	now, outside := w.see(t, c), w.outside(t)
	if now.Generation != 3 || outside.Generation != 3 || outside.Beat != now.Beat || outside.Lineage != now.Lineage || !now.Anchored {
		t.Errorf("the database %+v, the file %+v", now, outside)
	}
	if !w.sends(t, c) {
		t.Error("it does not send")
	}
	watcher, web := w.fence(t, w.URL)
	must(t, watcher.Look(ctx, false))
	if watcher.Word() != Open || w.see(t, web).Generation != 3 {
		t.Error("who only looks has beaten")
	}
}

// A crash between the database and the file, in the order that there is: the database is ahead, which is no loss.
func TestCrashBeforeTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, c := w.fence(t, w.URL)
	look(t, first, 2, Open)
	_, won, err := c.InstanceBeat(ctx, w.see(t, c), 0, true) // and the process dies here
	if must(t, err); !won {
		t.Fatal("nobody else beats")
	}
	if w.outside(t).Generation != 2 {
		t.Fatal("the file is ahead of the crash")
	}
	next, c := w.fence(t, w.URL)
	look(t, next, 1, Open)
	if got := w.outside(t); got.Generation != 4 || w.see(t, c).HeldAt != nil {
		t.Errorf("the file says %d", got.Generation)
	}
}

// The same on the very first beat: an empty bucket is not a lost one.
func TestCrashBeforeTheFirstFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.fence(t, w.URL)
	_, _, err := c.InstanceBeat(ctx, w.see(t, c), 0, false)
	must(t, err)
	f, _ := w.fence(t, w.URL)
	look(t, f, 1, Open)
	if got := w.outside(t).Generation; got != 2 {
		t.Errorf("the file says %d", got)
	}
}

// The other order happens when a stop is lifted: the file is written first. A crash there leaves the stop where it is, and
// lifting it again works.
func TestCrashAfterTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.fence(t, w.URL)
	look(t, f, 2, Open)
	must(t, c.InstanceHold(ctx, w.Operator, w.see(t, c), clinic.HeldByHand, 0))
	_, err := c.InstanceRelease(ctx, w.Operator, time.Now(), func(_ context.Context, now clinic.Instance) error {
		over := w.outside(t)
		must(t, writeAnchor(ctx, w.bucket, now, &over))
		return errAway // the process dies after the file and before the commit
	})
	if !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	if w.outside(t).Lineage == w.see(t, c).Lineage {
		t.Fatal("the file does not know the new lineage")
	}
	next, _ := w.fence(t, w.URL)
	look(t, next, 2, Held)
	look(t, f, 1, Held)
	now, err := Release(ctx, c, w.bucket, w.Operator, time.Now())
	must(t, err)
	if outside := w.outside(t); outside.Lineage != now.Lineage || outside.Generation != now.Generation || now.Generation <= 3 {
		t.Errorf("the file %+v, the database %+v", outside, now)
	}
	look(t, next, 2, Open)
	look(t, f, 2, Open)
}

// Two and eight workers, each beating for itself against one clock: a generation per period, a file that only goes
// forward, and nobody who takes the others for a restored database.
func TestWorkersBeatTogether(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 8} {
		w := newWorld(t)
		const every, most = 50 * time.Millisecond, 2 * time.Second
		began := time.Now()
		stop := make(chan struct{})
		var all sync.WaitGroup
		for range n {
			f, _ := w.fence(t, w.URL)
			f.cfg.Every = every
			all.Go(func() {
				for last := int64(0); ; {
					select {
					case <-stop:
						return
					default:
					}
					if err := f.Look(ctx, true); err != nil {
						t.Error(err)
					}
					if f.Word() == Held || f.memory != nil && f.memory.Generation < last {
						t.Errorf("a worker of %d says %s at %d after %d", n, f.Word(), f.memory.Generation, last)
						return
					}
					if f.memory != nil {
						last = f.memory.Generation
					}
				}
			})
		}
		enough := func() bool { // on a slow machine it takes longer
			since := time.Since(began)
			return since > most && (since > 10*most || w.see(t, w.Clinic).Generation >= 5)
		}
		for last := int64(0); !enough(); {
			if a, err := readAnchor(ctx, w.bucket); err == nil && a != nil {
				if a.Generation < last {
					t.Errorf("the file went from %d to %d", last, a.Generation)
				}
				last = a.Generation
			}
		}
		close(stop)
		all.Wait()
		periods := int64(time.Since(began)/every) + 2
		now, outside := w.see(t, w.Clinic), w.outside(t)
		if now.HeldAt != nil || now.Generation > periods || now.Generation < 5 || outside.Generation < 2 {
			t.Errorf("%d workers: generation %d in %d periods, the file at %d, held %q", n, now.Generation, periods, outside.Generation, now.HeldReason)
		}
		last, c := w.fence(t, w.URL)
		if look(t, last, 1, Open); w.outside(t).Generation != w.see(t, c).Generation {
			t.Error("the file does not catch up")
		}
	}
}

// A database that was restored is found out by a process that starts on it, and by one that runs on it already, before it
// sends anything. What they know is on the record, and so is the lifting; then both go on by themselves.
func TestRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	running, onIt := w.fence(t, w.URL)
	look(t, running, 3, Open)
	w.Approved(t, w.Patient, "email")
	copied := clinictest.Snapshot(t, w.URL)
	look(t, running, 4, Open)
	lost := clinictest.Restore(t, w.URL, copied)
	if w.sends(t, onIt) {
		t.Error("a running process sends from a database that went back beneath it")
	}
	starting, fresh := w.fence(t, w.URL)
	if w.sends(t, fresh) {
		t.Error("a starting process sends before it has looked")
	}
	look(t, starting, 1, Held)
	if i := w.wantHeld(t, fresh, clinic.HeldBehind); i.Generation != 3 || i.Witnessed != 7 || !i.HeldSince.Equal(*i.BeatAt) {
		t.Errorf("held as %+v", i)
	}
	look(t, running, 1, Held)
	_, err := fresh.DeliveryRestore(ctx, w.Operator, time.Now().Add(-time.Hour), 10)
	must(t, err)
	now, err := Release(ctx, fresh, w.bucket, w.Operator, time.Now().Add(-time.Hour))
	must(t, err)
	if now.Generation != 8 {
		t.Errorf("lifted at generation %d", now.Generation)
	}
	look(t, running, 1, Open)
	look(t, starting, 1, Open)
	// What is left of the time that was lost finds that it was not chosen.
	left, forgotten := w.fence(t, lost)
	look(t, left, 1, Held)
	w.wantHeld(t, forgotten, clinic.HeldLineage)
}

// Only the running process knows of the latest beats: the file could not be written for a while. Lifting the stop goes
// above what that process remembers, too.
func TestRestoredWhileTheFileWasLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.fence(t, w.URL)
	look(t, f, 2, Open)
	copied := clinictest.Snapshot(t, w.URL)
	w.away.Store(true)
	look(t, f, 5, Open)
	clinictest.Restore(t, w.URL, copied)
	look(t, f, 1, Held)
	if i := w.wantHeld(t, c, clinic.HeldBehind); i.Witnessed != 7 {
		t.Errorf("held as %+v", i)
	}
	if _, err := Release(ctx, c, w.bucket, w.Operator, time.Now()); err == nil {
		t.Error("lifted without the file")
	}
	w.wantHeld(t, c, clinic.HeldBehind)
	w.away.Store(false)
	now, err := Release(ctx, c, w.bucket, w.Operator, time.Now())
	if must(t, err); now.Generation != 8 {
		t.Errorf("lifted at generation %d", now.Generation)
	}
	look(t, f, 2, Open)
}

// A stop that was made by somebody who knew less is told more: by a process that remembers, and by the file when it is
// lifted.
func TestHeldIsToldMore(t *testing.T) {
	t.Parallel()
	for name, remembers := range map[string]bool{"by a process": true, "by the file": false} {
		w := newWorld(t)
		f, c := w.fence(t, w.URL)
		look(t, f, 2, Open)
		copied := clinictest.Snapshot(t, w.URL)
		w.away.Store(remembers)
		look(t, f, 5, Open)
		w.away.Store(false)
		clinictest.Restore(t, w.URL, copied)
		seen := w.see(t, c)
		must(t, c.InstanceHold(ctx, w.Operator, seen, clinic.HeldByHand, 0))
		if remembers {
			look(t, f, 1, Held)
		}
		now, err := Release(ctx, c, w.bucket, w.Operator, time.Now())
		if must(t, err); seen.Generation != 2 || now.Generation != 8 {
			t.Errorf("%s: from %d to %d", name, seen.Generation, now.Generation)
		}
	}
}

// Two databases that both go on from one moment, as after a fail-over that left the old one running: they count in step,
// and are told apart by their beats.
func TestFork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.fence(t, w.URL)
	look(t, f, 2, Open)
	twin, theirs := w.fence(t, clinictest.Snapshot(t, w.URL))
	stopped := func() bool { return w.see(t, c).HeldAt != nil || w.see(t, theirs).HeldAt != nil }
	for n := 0; n < 3 && !stopped(); n++ {
		seen(t, func() error { return f.Look(ctx, true) })
		seen(t, func() error { return twin.Look(ctx, true) })
	}
	if !stopped() {
		t.Error("both go on")
	}
}

// A process that cannot read the file when it begins sends nothing until it can; one that has read it goes on.
func TestBucketAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Approved(t, w.Patient, "email")
	running, onIt := w.fence(t, w.URL)
	look(t, running, 2, Open)
	var log bytes.Buffer
	starting, fresh := w.fence(t, w.URL)
	starting.cfg.Log = logging(&log)
	w.away.Store(true)
	look(t, starting, 3, Unchecked)
	if w.sends(t, fresh) {
		t.Error("it sends without having looked")
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "code=unchecked") {
		t.Errorf("the log says %s", log.String())
	}
	look(t, running, 3, Open)
	if w.see(t, onIt).HeldAt != nil || w.see(t, onIt).Generation != 5 || !w.sends(t, onIt) {
		t.Error("an outage of the bucket stops a running process")
	}
	w.away.Store(false)
	look(t, starting, 1, Open)
	if !strings.Contains(log.String(), "well again") || w.outside(t).Generation != w.see(t, onIt).Generation {
		t.Errorf("afterwards the log says %s and the file %d", log.String(), w.outside(t).Generation)
	}
}

// A file that is gone is written again by who knows that the database did not go back; who has just begun cannot know.
func TestFileGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	running, _ := w.fence(t, w.URL)
	look(t, running, 2, Open)
	mine := w.bucket
	w.bucket = newWorld(t).bucket // another, empty place
	starting, c := w.fence(t, w.URL)
	running.cfg.Bucket = w.bucket
	look(t, running, 1, Open)
	if w.outside(t).Generation != 3 {
		t.Error("the file was not written again")
	}
	look(t, starting, 1, Open)
	running.cfg.Bucket = mine
	w.bucket = newWorld(t).bucket
	late, _ := w.fence(t, w.URL)
	look(t, late, 1, Held)
	w.wantHeld(t, c, clinic.HeldMissing)
}

// A file that is none of ours stops a process that begins, and can be written over by lifting a stop.
func TestFileUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.fence(t, w.URL)
	must(t, w.bucket.Write(ctx, anchorName, []byte("{"), ""))
	look(t, f, 2, Unchecked)
	must(t, c.InstanceHold(ctx, w.Operator, w.see(t, c), clinic.HeldByHand, 0))
	look(t, f, 1, Held)
	_, err := Release(ctx, c, w.bucket, w.Operator, time.Now())
	must(t, err)
	look(t, f, 1, Open)
}
