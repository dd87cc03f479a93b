package clinic

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// rides lets deeds of one kind that come at the same time share a transaction. While one is under way, whoever comes waits
// and goes with the next; who comes alone goes at once and alone. There is no timer and no delay for company.
//
// Sharing changes nothing for who shares. A transaction does all of its items or none, and waits for nobody's lock beyond
// a moment. When it fails, each item is tried by itself, and may wait then, so that none pays for another. One that takes
// long is overtaken by the next. Who has boarded hears what became of its own item, also when its own context has ended
// meanwhile: a transaction has the time limit of its kind and nobody's context.
type rides[T any] struct {
	most    int           // items in one transaction, or what they weigh
	weigh   func(T) int   // nil: each weighs one
	flights int           // transactions at once, when some take long
	limit   time.Duration // of one transaction
	run     func(ctx context.Context, items []T, patient bool) (tell func(), err error)

	mu      sync.Mutex
	waiting []*rider[T]
	flying  int
	left    time.Time // when the last one began
}

// overtaking is after how long the next transaction no longer waits for one that is under way.
const overtaking = 500 * time.Millisecond

// rider is an item with who waits for it.
type rider[T any] struct {
	ctx     context.Context // for its values only: whose request this is
	item    T
	outcome chan error
}

// ride takes an item along and returns what became of it.
func (r *rides[T]) ride(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	me := &rider[T]{ctx: ctx, item: item, outcome: make(chan error, 1)}
	r.mu.Lock()
	r.waiting = append(r.waiting, me)
	if r.flying == 0 || time.Since(r.left) > overtaking {
		r.start()
	}
	r.mu.Unlock()
	return <-me.outcome
}

// start begins one more flight if there may be one. The caller holds the lock.
func (r *rides[T]) start() {
	if len(r.waiting) > 0 && r.flying < r.flights {
		r.flying++
		go r.fly()
	}
}

// fly takes along whoever waits until nobody does.
func (r *rides[T]) fly() {
	for {
		r.mu.Lock()
		n := r.fit()
		aboard := r.waiting[:n:n]
		r.waiting, r.left = r.waiting[n:], time.Now()
		if n == 0 {
			r.flying--
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		slow := time.AfterFunc(overtaking, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.start()
		})
		r.take(aboard)
		slow.Stop()
	}
}

// fit is how many of those who wait go together: at least one, if there is one.
func (r *rides[T]) fit() int {
	weight := 0
	for n, one := range r.waiting {
		if r.weigh == nil {
			weight++
		} else {
			weight += r.weigh(one.item)
		}
		if n > 0 && weight > r.most {
			return n
		}
	}
	return len(r.waiting)
}

// take runs one transaction. If it fails, each item goes by itself, beside the next flight, so that who has to wait keeps
// nobody. Only while the database is away there is no use in that.
func (r *rides[T]) take(aboard []*rider[T]) {
	items := make([]T, len(aboard))
	for i, one := range aboard {
		items[i] = one.item
	}
	tell, err := r.try(aboard[0].ctx, items, false)
	if err == nil || databaseAway(err) {
		go r.arrive(tell, err, aboard...)
		return
	}
	for _, one := range aboard {
		go func() {
			tell, err := r.try(one.ctx, []T{one.item}, true)
			r.arrive(tell, err, one)
		}()
	}
}

// arrive tells the news, and then each rider. The next flight does not wait for that: news go to Redis, which may be slow.
func (r *rides[T]) arrive(tell func(), err error, riders ...*rider[T]) {
	defer func() {
		if v := recover(); v != nil {
			panicked(riders[0].ctx, v) // what is committed is committed
		}
		for _, one := range riders {
			one.outcome <- err
		}
	}()
	if tell != nil {
		tell()
	}
}

// try runs one transaction within its limit. A panic is an error like another: whoever rides is told.
func (r *rides[T]) try(ctx context.Context, items []T, patient bool) (tell func(), err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.limit)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			tell, err = nil, panicked(ctx, v)
		}
	}()
	return r.run(ctx, items, patient)
}

// panicked says of a panic its kind and where it was, and not its text, which may be of a patient.
func panicked(ctx context.Context, v any) error {
	slog.ErrorContext(ctx, "panic in a shared transaction", "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	return fmt.Errorf("clinic: a panic in a shared transaction: %T", v)
}
