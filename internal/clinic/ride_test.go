package clinic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// station is rides whose transactions the test holds and lets go.
type station struct {
	*rides[int]
	t     *testing.T
	begun chan []int        // what a transaction carries
	end   chan func() error // what it comes to
}

func newStation(t *testing.T, flights int) *station {
	s := &station{t: t, begun: make(chan []int), end: make(chan func() error)}
	s.rides = &rides[int]{most: 3, flights: flights, limit: time.Minute, run: func(_ context.Context, items []int, _ bool) (func(), error) {
		s.begun <- slices.Clone(items)
		return nil, (<-s.end)()
	}}
	return s
}

// board has items come one after another and returns where each will hear of its outcome.
func (s *station) board(items ...int) map[int]chan error {
	outcomes := map[int]chan error{}
	for _, item := range items {
		outcome := make(chan error, 1)
		outcomes[item] = outcome
		go func() { outcome <- s.ride(s.t.Context(), item) }()
		synctest.Wait()
	}
	return outcomes
}

func (s *station) wantBegun(want ...int) {
	s.t.Helper()
	if got := <-s.begun; !slices.Equal(got, want) {
		s.t.Errorf("a transaction carries %v, not %v", got, want)
	}
}

func well() error { return nil }

// Who comes alone goes at once; who comes meanwhile goes together with the next, in the order of coming, and no more than
// fit; what weighs more than fits goes alone.
func TestRides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, 2)
		s.weigh = func(item int) int { return max(1, item/10) }
		outcomes := s.board(1, 2, 3, 4, 5, 90, 6)
		for _, want := range [][]int{{1}, {2, 3, 4}, {5}, {90}, {6}} {
			s.wantBegun(want...)
			s.end <- well
		}
		for item, outcome := range outcomes {
			if err := <-outcome; err != nil {
				t.Errorf("%d: %v", item, err)
			}
		}
	})
}

// One that takes long is overtaken: by who waits for it, and by who comes later, as long as there may be one more.
func TestRidesOvertake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, 3)
		first := s.board(1, 2, 3)
		s.wantBegun(1)
		began := time.Now()
		s.wantBegun(2, 3)
		if waited := time.Since(began); waited < overtaking || waited > 2*overtaking {
			t.Errorf("the second went after %s", waited)
		}
		time.Sleep(10 * overtaking)
		last := s.board(4)
		s.wantBegun(4)
		late := s.board(5)
		select {
		case got := <-s.begun:
			t.Errorf("one too many carries %v", got)
		case <-time.After(10 * overtaking):
		}
		for range 3 {
			s.end <- well
		}
		s.wantBegun(5)
		s.end <- well
		for _, outcome := range []chan error{first[1], first[2], first[3], last[4], late[5]} {
			if err := <-outcome; err != nil {
				t.Error(err)
			}
		}
	})
}

// What fails together is tried one by one, beside the next transaction, and each hears of its own. A panic is a failure.
// While the database is away there is no second try.
func TestRidesFail(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{"error": func() error { return errors.New("bad") }, "panic": func() error { panic("bad") },
		"timeout": func() error { return context.DeadlineExceeded }, "key lost": func() error { return refuse(Unavailable, "key_lost", "Lost.") },
		"away": func() error { return fmt.Errorf("read: %w", net.ErrClosed) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, 2)
				outcomes := s.board(0, 1, 2, 3)
				s.wantBegun(0)
				s.end <- well
				s.wantBegun(1, 2, 3)
				s.end <- fail
				for tried := 0; name != "away" && tried < 3; tried++ {
					alone := <-s.begun
					if len(alone) != 1 {
						t.Fatalf("%v are tried together again", alone)
					}
					if alone[0] == 2 {
						s.end <- fail
					} else {
						s.end <- well
					}
				}
				for item, outcome := range outcomes {
					if err := <-outcome; (err != nil) != (item == 2 || item > 0 && name == "away") {
						t.Errorf("%d hears %v", item, err)
					}
				}
			})
		})
	}
}

// Who has to wait by itself holds up no later transaction.
func TestRidesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, 2)
		outcomes := s.board(0, 1, 2)
		s.wantBegun(0)
		s.end <- well
		s.wantBegun(1, 2)
		s.end <- func() error { return errors.New("bad") }
		<-s.begun
		<-s.begun // both are under way by themselves, and stay so
		later := s.board(3)
		s.wantBegun(3)
		for range 3 {
			s.end <- well
		}
		for _, outcome := range []chan error{outcomes[1], outcomes[2], later[3]} {
			if err := <-outcome; err != nil {
				t.Error(err)
			}
		}
	})
}

// Who tells the news keeps no later transaction, each rider hears after them, and a panic in them changes nothing of what
// is committed.
func TestRidesTell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		telling, begun := make(chan func()), 0
		r := &rides[int]{most: 3, flights: 1, limit: time.Minute, run: func(context.Context, []int, bool) (func(), error) {
			begun++
			return func() { (<-telling)() }, nil
		}}
		outcomes := make(chan error, 2)
		for range 2 {
			go func() { outcomes <- r.ride(t.Context(), 1) }()
			synctest.Wait()
		}
		if begun != 2 || len(outcomes) != 0 {
			t.Errorf("%d transactions have begun, and %d riders have heard before the news", begun, len(outcomes))
		}
		telling <- func() {}
		telling <- func() { panic("bad") }
		for range 2 {
			if err := <-outcomes; err != nil {
				t.Errorf("what is committed is told as %v", err)
			}
		}
	})
}

// Whose context is over does not board. Who has boarded hears what became of it all the same, and a transaction ends with
// its own limit and with no rider's context.
func TestRidesCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		r := &rides[int]{most: 3, flights: 1, limit: time.Minute, run: func(ctx context.Context, _ []int, _ bool) (func(), error) {
			select {
			case <-held:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		outcome := make(chan error, 1)
		go func() { outcome <- r.ride(ctx, 1) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		held <- struct{}{}
		if err := <-outcome; err != nil {
			t.Errorf("the transaction ended with its rider's context: %v", err)
		}
		if err := r.ride(ctx, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("who is gone has boarded: %v", err)
		}
		if err := r.ride(t.Context(), 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a transaction has no end: %v", err)
		}
	})
}

// Under load everything is done once, in few transactions and never more at once than there may be.
func TestRidesLoad(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	done, now, most, runs := map[int]int{}, 0, 0, 0
	r := &rides[int]{most: 8, flights: 2, limit: time.Minute, run: func(_ context.Context, items []int, _ bool) (func(), error) {
		mu.Lock()
		now++
		most, runs = max(most, now), runs+1
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		now--
		for _, item := range items {
			done[item]++
		}
		return nil, nil
	}}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for n := range 20 {
				if err := r.ride(t.Context(), 20*i+n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for item, times := range done {
		if times != 1 {
			t.Errorf("%d was done %d times", item, times)
		}
	}
	if len(done) != 640 || most > 2 || runs > 320 {
		t.Errorf("%d were done in %d transactions, %d at once", len(done), runs, most)
	}
}
