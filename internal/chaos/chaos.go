// Package chaos proves the delivery engine under fire. It runs real web and worker processes on servers of its own, has
// virtual doctors and patients use them over HTTP, kills and freezes all of it by a schedule that a seed decides, lets
// the sandbox lie as a provider, then lets everything come to rest and judges twenty invariants.
//
// It judges by three accounts that do not know of each other: the rows in Postgres, the sandbox's own log of what it
// took and told, and what the people of the run were told themselves: an approval counts as made when HTTP said so.
// It knows the product by its programs, its addresses, its settings and its tables, and sets the scene by deeds of
// package clinic. It starts and kills through package local and stops whatever it started.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"countersign/internal/local"
)

// Options say how a run goes. The zero value of each has a meaning.
type Options struct {
	For     time.Duration // how long the faults last
	Seed    uint64        // of the schedule of faults; the same seed and duration, the same schedule
	Rate    int           // approvals a second that the doctors aim at; 0: 30
	Times   Times         // the engine's clocks; zero: ShortTimes
	Break   string        // a fault seeded into the product, see Breaks; "": none
	Quiet   time.Duration // the longest that coming to rest may take; 0: what Times need
	Workers int           // 0: 3
	Webs    int           // 0: 2
	Build   bool          // build the programs first
	Bin     string        // the folder of the programs, and of those with faults in its faulty/; "": the checkout's bin
	Keep    bool          // leave the evidence even when nothing is broken

	Dir     string    // inside the checkout; "": here
	Out     io.Writer // where the report goes
	Environ []string  // the person's environment, as os.Environ
}

func (o Options) complete() (Options, error) {
	if o.Times == (Times{}) {
		o.Times = ShortTimes
	}
	for setting, standard := range map[*int]int{&o.Rate: 30, &o.Workers: 3, &o.Webs: 2} {
		if *setting <= 0 {
			*setting = standard
		}
	}
	if o.Quiet <= 0 {
		o.Quiet = o.Times.settle()
		if o.Break != "" { // which may never come to rest
			o.Quiet = 3*o.Times.Lease + o.Times.Grace
		}
	}
	if o.Dir == "" {
		o.Dir = "."
	}
	if o.For < time.Second {
		return o, errors.New("chaos needs a second at least")
	}
	if _, known := Breaks[o.Break]; o.Break != "" && !known {
		return o, fmt.Errorf("there is no seeded fault %q: fence, relay, class, audit or fold", o.Break)
	}
	for _, name := range []string{"production", "staging"} {
		if slices.Contains(o.Environ, "APP_ENV="+name) {
			return o, fmt.Errorf("chaos kills servers; %s refuses it", name)
		}
	}
	return o, nil
}

// ErrBroken says that an invariant did not hold, or that a process ended by itself.
var ErrBroken = errors.New("chaos: not everything held")

// Run is one run from an empty machine to a verdict. The error is ErrBroken when something did not hold, and another
// one when there could be no verdict. Everything it started has ended when it returns.
func Run(parent context.Context, o Options) (v Verdict, err error) {
	if o, err = o.complete(); err != nil {
		return v, err
	}
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	s, err := newStage(o)
	if err != nil {
		return v, err
	}
	s.life = ctx
	defer func() { s.close(err != nil && !errors.Is(err, context.Canceled)) }()
	if err := s.raise(ctx); err != nil {
		return v, err
	}
	l, err := newLoad(ctx, s)
	if err != nil {
		return v, err
	}
	defer l.close()
	if err := s.trouble(ctx, l); err != nil {
		return v, err
	}
	rest, err := s.settle(ctx)
	if err != nil {
		return v, err
	}
	e, err := s.gather(ctx, l, rest)
	if err != nil {
		return v, fmt.Errorf("gathering the evidence: %w", err)
	}
	v = Judge(e)
	v.Unasked = s.unasked.list()
	s.report(ctx, l, rest, v)
	if v.Broken() {
		return v, ErrBroken
	}
	return v, nil
}

// trouble is the run itself: load, and faults by the schedule, until its time is over.
func (s *stage) trouble(ctx context.Context, l *load) error {
	plan := s.o.plan()
	s.say("%d faults are planned for %s of load", len(plan), s.o.For)
	s.begin()
	running, stop := context.WithTimeout(ctx, s.o.For)
	defer stop()
	stopped := l.start(running)
	s.inject(running, plan)
	<-running.Done()
	stopped()
	return ctx.Err()
}

// plan is the schedule of the run, leaning towards what brings a seeded fault to light.
func (o Options) plan() []Fault {
	seeded := Breaks[o.Break]
	plan := deal(seeded.deck, o.Seed, o.For, o.Times, o.Workers, o.Webs)
	for _, f := range plan {
		for provider, lies := range f.Lies {
			if seeded.tilt != nil {
				f.Lies[provider] = append(seeded.tilt(o.Times), lies...)
			}
		}
	}
	return plan
}

// stage is where a run plays: its servers, programs and report.
type stage struct {
	o        Options
	local    *local.Local
	cluster  *local.Cluster
	outside  *outside
	balancer *balancer
	webs     []*program
	workers  []*program
	env      map[string]string // the product's settings
	keyset   string
	began    time.Time
	paper    *paper
	unasked  *unasked
	faults   *faults
	life     context.Context // ends when the run is broken off

	redisBusy, postgresBusy sync.Mutex
}

// say writes a line of the report, with the time since the load began.
func (s *stage) say(format string, args ...any) {
	at := "       "
	if !s.began.IsZero() {
		at = fmt.Sprintf("%6.1fs", time.Since(s.began).Seconds())
	}
	s.paper.line(at + "  " + fmt.Sprintf(format, args...))
}

func (s *stage) begin() { s.began = time.Now() }

// settings is the product's environment: nothing of the person's own but what programs need to run at all.
func (s *stage) settings(more ...string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range s.env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return append(list, more...)
}
