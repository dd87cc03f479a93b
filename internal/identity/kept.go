package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	fetchGap = time.Minute    // at most one fetch in this time, whoever asks
	freshFor = time.Hour      // what is older is fetched again
	keptFor  = 24 * time.Hour // what is older is not believed
)

// kept is what one of the issuer's addresses last said. Many callers share one
// fetch, a fetch is made at most once a minute, and what was last good is
// believed for a day; after that, nothing is.
type kept[T any] struct {
	fetch  func(context.Context) (T, error)
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	have    T
	fetched time.Time // the last good fetch
	tried   time.Time // the last fetch of either outcome
}

// get returns what suits the caller. It fetches when what is there does not
// suit, or is an hour old. ok is false when it does not suit even so; the error
// is ErrUnavailable when there is nothing to believe.
func (k *kept[T]) get(ctx context.Context, suits func(T) bool) (have T, ok bool, err error) {
	have, ok, due := k.look(suits)
	var failed error
	if due {
		fetch := k.flight.DoChan("", func() (any, error) {
			return nil, k.refresh(context.WithoutCancel(ctx), suits)
		})
		select {
		case done := <-fetch:
			failed = done.Err
		case <-ctx.Done():
			return have, false, fmt.Errorf("%w: the request ended first", ErrUnavailable)
		}
		have, ok, _ = k.look(suits)
	}
	if !ok && k.stale() {
		return have, false, errors.Join(ErrUnavailable, failed)
	}
	return have, ok, nil
}

// look returns what may be believed now, whether it suits, and whether a fetch
// is due and allowed.
func (k *kept[T]) look(suits func(T) bool) (have T, ok, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	ok = now.Sub(k.fetched) < keptFor && suits(k.have)
	if ok {
		have = k.have
	}
	allowed := k.tried.IsZero() || now.Sub(k.tried) >= fetchGap
	return have, ok, allowed && (!ok || now.Sub(k.fetched) >= freshFor)
}

// stale reports whether there is nothing that may be believed.
func (k *kept[T]) stale() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now().Sub(k.fetched) >= keptFor
}

// refresh fetches once, unless someone else just did. The try is noted when it
// is over, so that whoever comes meanwhile waits for it.
func (k *kept[T]) refresh(ctx context.Context, suits func(T) bool) error {
	if _, _, due := k.look(suits); !due {
		return nil
	}
	started := k.now()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	have, err := k.fetch(ctx)

	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = started
	if err != nil {
		return err
	}
	k.have, k.fetched = have, started
	return nil
}
