// Package figures turns what a process counts into rows that every process can read: the six figures by minutes, web
// vitals by hours, the web's heartbeat and the leader's probe of it. And it shows what the rows of all processes come
// to, as series, to whoever reads /metrics.
//
// It never stands in a request's way: requests count in memory, and a loop beside them writes. While Postgres is away
// what was counted is kept, and told when it is back, for the minutes in which it was counted.
package figures

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/metrics"
	"countersign/internal/slo"
)

const (
	every       = 15 * time.Second // between two writes; the rows are of minutes whatever it is
	writeTime   = 5 * time.Second
	looksEvery  = 60  // writes from one look at the security score to the next: a look tries what has to be refused
	minutesLeft = 240 // minutes that are kept while Postgres is away
)

// Config is what a recorder needs. A web process beats and looks at the score, a worker asks the web.
type Config struct {
	Clinic   *clinic.Clinic
	Metrics  *metrics.Metrics
	Every    time.Duration                      // 15 s unless set
	Beats    bool                               // this process serves the web
	Score    func(context.Context) (int, error) // in percent; nil: another process looks
	Ready    func(context.Context) bool         // asks the web; nil: another process does
	Announce func(context.Context, []string)    // tells open pages; may be nil
	// Ran hears of each round: when it began, and what went wrong, which is a code. It may be nil.
	Ran func(ctx context.Context, began time.Time, code string)
	Now func() time.Time // the machine's unless set
	Log *slog.Logger     // discards unless set
}

// Name is what open pages listen to for news of the figures.
const Name = "figures"

// Recorder is one process's. Make one by New.
type Recorder struct {
	cfg     Config
	process uuid.UUID
	one     sync.Mutex // one write at a time
	waiting []minute   // counted and not yet written, the oldest first
	vitals  vitals
	looked  time.Time // when the score was last looked at
	forgot  time.Time // when old rows were last deleted
	said    bool      // that Postgres is away
}

// minute is what was counted in one.
type minute struct {
	at  time.Time
	all map[slo.Figure]slo.Seen
}

// New calls nobody.
func New(cfg Config) *Recorder {
	if cfg.Every <= 0 {
		cfg.Every = every
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Ran == nil {
		cfg.Ran = func(context.Context, time.Time, string) {}
	}
	if cfg.Announce == nil {
		cfg.Announce = func(context.Context, []string) {}
	}
	return &Recorder{cfg: cfg, process: uuid.New()}
}

// Run writes at once and then every quarter of a minute until ctx ends, and a last time then. The security score is looked
// at from the second round on: its tries count as its address's, and a process that dies and starts over and over would use
// up what that address may ask.
func (r *Recorder) Run(ctx context.Context) {
	r.looked = r.cfg.Now().Add(r.cfg.Every - looksEvery*r.cfg.Every)
	ticker := time.NewTicker(r.cfg.Every)
	defer ticker.Stop()
	for {
		began, code := r.cfg.Now(), ""
		if err := r.Tick(ctx); err != nil {
			if code = clinic.Code(err); code == "" {
				code = "internal"
			}
		}
		r.cfg.Ran(ctx, began, code)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = r.flush(last)
			return
		}
	}
}

// Tick is one round: heartbeat or probe, the score if it is time, and what was counted.
func (r *Recorder) Tick(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	err := r.up(ctx)
	if err == nil {
		err = r.look(ctx)
	}
	if e := r.flush(ctx); err == nil {
		err = e
	}
	if err == nil {
		err = r.forget(ctx)
	}
	if away := err != nil; away != r.said {
		r.said = away
		if away {
			r.cfg.Log.WarnContext(ctx, "figures wait for Postgres", "code", clinic.Code(err))
		} else {
			r.cfg.Log.InfoContext(ctx, "figures are written again")
		}
	}
	if err == nil {
		r.cfg.Announce(ctx, []string{Name})
	}
	return err
}

// patience is for a whole round; looking at the score takes the longest.
func (r *Recorder) patience() time.Duration { return 6 * writeTime }

func (r *Recorder) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*writeTime)
	defer cancel()
	if r.cfg.Beats {
		if err := r.cfg.Clinic.UpBeat(ctx); err != nil {
			return err
		}
	}
	if r.cfg.Ready == nil {
		return nil
	}
	_, err := r.cfg.Clinic.UpAsk(ctx, r.cfg.Ready)
	return err
}

// look looks at the security score, if it is time.
func (r *Recorder) look(ctx context.Context) error {
	now := r.cfg.Now()
	if r.cfg.Score == nil || now.Sub(r.looked) < looksEvery*r.cfg.Every {
		return nil
	}
	percent, err := r.cfg.Score(ctx)
	if err != nil {
		return err
	}
	r.looked = now
	r.cfg.Metrics.Score(percent)
	return nil
}

// flush writes what was counted. What cannot be written waits.
func (r *Recorder) flush(ctx context.Context) error {
	r.one.Lock()
	defer r.one.Unlock()
	r.gather()
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	for len(r.waiting) > 0 {
		m := r.waiting[0]
		var all []clinic.Counted
		for _, p := range slo.Promises { // in one order, so that two processes do not wait for each other
			if seen, ok := m.all[p.Figure]; ok {
				all = append(all, clinic.Counted{Figure: p.Figure, Seen: seen})
			}
		}
		if err := r.cfg.Clinic.FiguresKeep(ctx, r.process, m.at, all); err != nil {
			return err
		}
		r.waiting = r.waiting[1:]
	}
	return r.vitals.write(ctx, r.cfg.Clinic, r.cfg.Now())
}

// gather takes what was counted and puts it to the minute that it is now.
func (r *Recorder) gather() {
	at, all := r.cfg.Now().UTC().Truncate(time.Minute), r.cfg.Metrics.Take()
	if len(all) == 0 {
		return
	}
	if n := len(r.waiting); n == 0 || !r.waiting[n-1].at.Equal(at) {
		r.waiting = append(r.waiting, minute{at, map[slo.Figure]slo.Seen{}})
	}
	into := r.waiting[len(r.waiting)-1].all
	for name, seen := range all {
		s := into[name]
		s.Add(seen)
		s.Value += seen.Value
		into[name] = s
	}
	if over := len(r.waiting) - minutesLeft; over > 0 {
		r.waiting = r.waiting[over:]
	}
}

// forget deletes old rows, once an hour.
func (r *Recorder) forget(ctx context.Context) error {
	if now := r.cfg.Now(); now.Sub(r.forgot) > time.Hour {
		if err := r.cfg.Clinic.FiguresForget(ctx); err != nil {
			return err
		}
		r.forgot = now
	}
	return nil
}
