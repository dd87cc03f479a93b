package chaos

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"countersign/internal/local"
)

// faults counts what was really done: a fault whose target is down or frozen already is passed over.
type faults struct {
	mu     sync.Mutex
	done   map[string]int
	passed int
}

func (f *faults) count(kind string, hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if hit {
		f.done[kind]++
	} else {
		f.passed++
	}
}

// inject lets the plan happen, each fault at its time and beside those that still last, and returns when ctx has ended
// and all that was done is undone.
func (s *stage) inject(ctx context.Context, plan []Fault) {
	var lasting sync.WaitGroup
	defer lasting.Wait()
	lasting.Go(func() { s.watch(ctx) })
	began := time.Now()
	for _, f := range plan {
		if !pause(ctx, time.Until(began.Add(f.At))) {
			return
		}
		lasting.Go(func() {
			hit := s.happen(ctx, f)
			s.faults.count(f.Kind, hit)
		})
	}
	<-ctx.Done()
}

// pause waits and says whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// happen carries out one fault and what ends it. It says whether there was anything to do.
func (s *stage) happen(ctx context.Context, f Fault) bool {
	switch f.Kind {
	case KillWorker:
		return s.killed(ctx, s.workers[f.Target], f)
	case KillWeb:
		return s.killed(ctx, s.webs[f.Target], f)
	case FreezeWorker:
		return s.frozen(ctx, s.workers[f.Target], f)
	case FreezeWeb:
		return s.frozen(ctx, s.webs[f.Target], f)
	case KillRedis:
		return s.outage(ctx, &s.redisBusy, s.cluster.Redis, syscall.SIGKILL, f)
	case LoseRedis:
		return s.outage(ctx, &s.redisBusy, s.cluster.Redis, syscall.SIGKILL, f)
	case RestartPostgres:
		return s.outage(ctx, &s.postgresBusy, s.cluster.Postgres, syscall.SIGQUIT, f)
	case FlushRedis:
		err := s.cluster.FlushRedis(ctx)
		if err == nil {
			s.say("%s", f)
		}
		return err == nil // it is down anyway
	case Lies:
		s.say("%s", f)
		if err := s.outside.lie(ctx, f.Lies); err != nil && ctx.Err() == nil {
			s.unasked.note(err)
		}
		return true
	}
	return false
}

func (s *stage) killed(ctx context.Context, p *program, f Fault) bool {
	if !p.busy.TryLock() {
		return false
	}
	defer p.busy.Unlock()
	s.say("%s", f)
	p.kill()
	pause(ctx, f.For)
	s.again(p)
	return true
}

// again starts a program, if the run is not over by then.
func (s *stage) again(p *program) {
	if err := p.start(s.life); err != nil && s.life.Err() == nil {
		s.unasked.note(fmt.Errorf("%s does not come back: %w", p.name, err))
	}
}

func (s *stage) frozen(ctx context.Context, p *program, f Fault) bool {
	if !p.busy.TryLock() {
		return false
	}
	defer p.busy.Unlock()
	if p.process == nil || p.process.Gone() {
		return false
	}
	s.say("%s", f)
	p.freeze()
	pause(ctx, f.For)
	p.thaw()
	return true
}

// outage kills a server and starts it again. Redis comes back with what it had written, or with nothing.
func (s *stage) outage(ctx context.Context, busy *sync.Mutex, server *local.Server, signal syscall.Signal, f Fault) bool {
	if !busy.TryLock() {
		return false
	}
	defer busy.Unlock()
	s.say("%s", f)
	server.Kill(signal)
	pause(ctx, f.For)
	if f.Kind == LoseRedis {
		if err := server.Forget(); err != nil {
			s.unasked.note(err)
		}
	}
	var err error
	for range 20 { // its port, or the memory of its predecessor, may be held for a moment
		if err = server.Start(s.life); err == nil || s.life.Err() != nil {
			return true
		}
		pause(s.life, 200*time.Millisecond)
	}
	s.unasked.note(fmt.Errorf("a server does not come back: %w", err))
	return true
}

// watch starts programs again that ended by themselves, so that one that does is one line of the verdict and not a
// different run.
func (s *stage) watch(ctx context.Context) {
	for pause(ctx, 500*time.Millisecond) {
		for _, p := range s.programs() {
			if p.busy.TryLock() {
				if p.process != nil && p.process.Gone() {
					s.say("%s ended by itself", p.name)
					s.again(p)
				}
				p.busy.Unlock()
			}
		}
	}
}
