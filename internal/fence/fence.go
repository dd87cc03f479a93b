// Package fence keeps a restored database from sending. A Postgres that was restored to time T does not know what was
// sent after T; if it went on, patients would get again what they have.
//
// So the installation counts: every few seconds one worker raises a generation in the database and then writes it to a
// file outside. The file is never ahead of the database, unless the database went back. Each process also remembers what
// it has seen, and each claim asks for that, so that a database exchanged beneath a running worker sends nothing either.
// What it finds wrong is written into the database itself, as a stop that only an operator lifts.
//
// What it cannot see: a database that lost less than the time since the last beat.
package fence

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/faultpoint"
)

// The words of Word.
const (
	Open      = "ok"
	Held      = "held"      // the database says that nothing may be sent
	Unchecked = "unchecked" // this process has not been able to compare, and sends nothing
	Off       = "off"       // there is no BLOB_URL
)

const bucketTime = 5 * time.Second

// Config is what a fence needs. Without a Bucket it is off.
type Config struct {
	Clinic *clinic.Clinic // opened Fenced
	Bucket *blob.Bucket
	Every  time.Duration // between two looks, and between two beats of all workers together
	Log    *slog.Logger
	Report func(ctx context.Context, err error) // hears of a stop; may be nil
}

// Fence is one process's watch over its database. Make one by New.
type Fence struct {
	cfg    Config
	word   atomic.Value
	one    sync.Mutex       // one look at a time
	memory *clinic.Instance // the last one that was found good
	said   string           // the last thing logged, so that an outage is two lines
}

// New calls nobody.
func New(cfg Config) *Fence {
	f := &Fence{cfg: cfg}
	f.word.Store(Unchecked)
	if cfg.Bucket == nil {
		f.word.Store(Off)
	}
	if cfg.Report == nil {
		f.cfg.Report = func(context.Context, error) {}
	}
	return f
}

// Word says how this process stands: ok, held, unchecked or off.
func (f *Fence) Word() string { return f.word.Load().(string) }

// Run looks at once and then each Every, until ctx ends. A worker beats, others only look; both may run in one process. ran hears
// of each look: when it began, and what is wrong, which is a code; it may be nil.
func (f *Fence) Run(ctx context.Context, beats bool, ran func(ctx context.Context, began time.Time, code string)) {
	if ran == nil {
		ran = func(context.Context, time.Time, string) {}
	}
	if f.cfg.Bucket == nil {
		f.cfg.Log.WarnContext(ctx, "BLOB_URL is not set: a restored database would send again what it does not know of")
		ran(ctx, time.Now(), Off)
		return
	}
	ticker := time.NewTicker(f.cfg.Every)
	defer ticker.Stop()
	for {
		began := time.Now()
		_ = f.Look(ctx, beats) // said there
		ran(ctx, began, f.trouble())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Look compares once, stops what has to be stopped, and, if asked to and it is time, beats. Its error is the database's,
// without which nothing is sent anyway.
func (f *Fence) Look(ctx context.Context, beats bool) error {
	f.one.Lock()
	defer f.one.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*bucketTime)
	defer cancel()
	s := f.see(ctx)
	if s.reason != "" { // an operator may have lifted a stop between our two reads: what is wrong is wrong twice
		s = f.see(ctx)
	}
	switch {
	case s.err != nil:
		f.say(ctx, slog.LevelWarn, clinic.Code(s.err))
	case s.now.HeldAt != nil:
		f.held(ctx, s)
	case s.reason != "":
		f.hold(ctx, s)
	case s.blind:
		f.cfg.Clinic.InstanceDoubt()
		f.word.Store(Unchecked)
		f.say(ctx, slog.LevelError, "unchecked")
	default:
		f.trust(s.now)
		f.beat(ctx, s, beats)
	}
	return s.err
}

// patience is how long the file may take: less than Every where that is seconds, so that two beats do not write at once.
func (f *Fence) patience() time.Duration { return min(bucketTime, max(f.cfg.Every, time.Second)) }

// sight is what one look saw.
type sight struct {
	anchor    *anchor // nil: not there, or not to be read
	anchorErr error
	now       clinic.Instance
	err       error
	reason    string // why this cannot be the database that was, or nothing
	blind     bool   // it cannot be told whether it is
}

// see reads the file first and the database after it: the other way round, a beat between the two would look like a loss.
func (f *Fence) see(ctx context.Context) (s sight) {
	reading, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	s.anchor, s.anchorErr = readAnchor(reading, f.cfg.Bucket)
	if s.now, s.err = f.cfg.Clinic.InstanceSee(ctx); s.err != nil {
		return s
	}
	s.reason, s.blind = judge(s.now, s.anchor, s.anchorErr == nil, f.memory)
	return s
}

// judge compares the database with the file outside (which could be read, or not; nil when it is not there) and with what
// this process remembers (nil when it has just begun).
func judge(now clinic.Instance, outside *anchor, readable bool, memory *clinic.Instance) (reason string, blind bool) {
	known := memory != nil && memory.Lineage == now.Lineage
	switch {
	case known && now.Generation < memory.Generation:
		return clinic.HeldBehind, false
	case !readable:
		return "", !known
	case outside == nil && now.Anchored && !known:
		return clinic.HeldMissing, false
	case outside == nil:
		return "", false
	case outside.Lineage != now.Lineage:
		return clinic.HeldLineage, false
	case outside.Generation > now.Generation:
		return clinic.HeldBehind, false
	case outside.Generation == now.Generation && outside.Beat != now.Beat:
		return clinic.HeldFork, false
	}
	return "", false
}

// witnessed is the highest generation that this look and this process know of.
func (f *Fence) witnessed(s sight) int64 {
	most := s.now.Generation
	if s.anchor != nil {
		most = max(most, s.anchor.Generation)
	}
	if f.memory != nil {
		most = max(most, f.memory.Generation)
	}
	return most
}

// hold stops sending from this database, on the record. If that cannot be written, this process at least sends nothing.
func (f *Fence) hold(ctx context.Context, s sight) {
	f.cfg.Clinic.InstanceDoubt()
	f.word.Store(Held)
	if err := f.cfg.Clinic.InstanceHold(ctx, actor(), s.now, s.reason, f.witnessed(s)); err != nil {
		f.say(ctx, slog.LevelError, clinic.Code(err))
		return
	}
	f.say(ctx, slog.LevelError, s.reason, "generation", s.now.Generation, "witnessed", f.witnessed(s))
	f.cfg.Report(ctx, stopped(s.reason))
}

// held adds what this process knows to a stop that is there already.
func (f *Fence) held(ctx context.Context, s sight) {
	f.word.Store(Held)
	if most := f.witnessed(s); most > s.now.Witnessed {
		if err := f.cfg.Clinic.InstanceHold(ctx, actor(), s.now, s.now.HeldReason, most); err != nil {
			f.say(ctx, slog.LevelError, clinic.Code(err))
			return
		}
	}
	f.say(ctx, slog.LevelError, "held")
}

func (f *Fence) trust(now clinic.Instance) {
	f.memory = &now
	f.cfg.Clinic.InstanceTrust(now.Generation)
	f.word.Store(Open)
}

// beat raises the generation, if it is time and this process is a worker that wins, and then writes the file. When the
// file cannot be written, sending goes on: the database is then ahead of it, which is no loss.
func (f *Fence) beat(ctx context.Context, s sight, beats bool) {
	said := ""
	if s.anchorErr != nil {
		said = "bucket_away"
	}
	if beats {
		now, won, err := f.cfg.Clinic.InstanceBeat(ctx, s.now, f.cfg.Every, s.anchor != nil)
		switch {
		case err != nil:
			said = clinic.Code(err)
		case won:
			faultpoint.Reach("fence", "beaten")
			f.trust(now)
			if s.anchorErr == nil && !f.write(ctx, now, s.anchor) {
				said = "bucket_away"
			}
			if s.anchor == nil && s.now.Anchored && s.anchorErr == nil {
				f.cfg.Log.WarnContext(ctx, "fence: the file in BLOB_URL was gone and has been written again", "generation", now.Generation)
			}
		}
	}
	f.say(ctx, slog.LevelWarn, said)
}

func (f *Fence) write(ctx context.Context, now clinic.Instance, over *anchor) bool {
	ctx, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	return writeAnchor(ctx, f.cfg.Bucket, now, over) == nil
}

// trouble is what the last look found wrong.
func (f *Fence) trouble() string {
	f.one.Lock()
	defer f.one.Unlock()
	if f.Word() == Held {
		return Held
	}
	return f.said
}

// say logs what has changed since the last look.
func (f *Fence) say(ctx context.Context, level slog.Level, code string, more ...any) {
	if code == f.said {
		return
	}
	f.said = code
	switch code {
	case "":
		f.cfg.Log.Log(ctx, slog.LevelInfo+2, "fence: well again") // logging.Notice
	case "unchecked":
		f.cfg.Log.Log(ctx, level, "fence: BLOB_URL cannot be read, so this process cannot tell whether its database was restored and sends nothing", "code", code)
	case "bucket_away":
		f.cfg.Log.Log(ctx, level, "fence: BLOB_URL cannot be read or written; sending goes on", "code", code)
	case clinic.HeldBehind, clinic.HeldLineage, clinic.HeldFork, clinic.HeldMissing, "held":
		f.cfg.Log.Log(ctx, level, "fence: sending is stopped; an operator must run countersign reconcile", append([]any{"code", code}, more...)...)
	default:
		f.cfg.Log.Log(ctx, level, "fence: cannot look", "code", code)
	}
}

func actor() clinic.Actor { return clinic.WorkerActor("fence") }

// stopped is the report of a stop: a code and nothing else.
type stopped string

func (s stopped) Error() string { return "sending is stopped: " + string(s) }

// SafeError tells the error reporter that the text may leave the house.
func (s stopped) SafeError() string { return s.Error() }
