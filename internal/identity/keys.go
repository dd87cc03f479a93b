package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	fetchTimeout = 3 * time.Second
	fetchGap     = time.Minute    // at most one fetch in this time, whoever asks
	freshFor     = time.Hour      // older keys are fetched again
	keptFor      = 24 * time.Hour // older keys are not believed
	maxCerts     = 1 << 20        // bytes
	minKeyBits   = 2048
)

// keys are the issuer's public keys, from its certs address only. When they
// cannot be refreshed, the last good set is kept for a day.
type keys struct {
	address string
	client  *http.Client
	now     func() time.Time
	flight  singleflight.Group

	mu      sync.Mutex
	byID    map[string]*rsa.PublicKey
	fetched time.Time // the last good fetch
	tried   time.Time // the last fetch of either outcome
}

func newKeys(address string) *keys {
	return &keys{
		address: address,
		now:     time.Now,
		client: &http.Client{
			Timeout: fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("identity: the certs address redirects")
			},
		},
	}
}

// find returns the key with an id. It fetches when the id is unknown or the
// keys are an hour old; many callers at once share one fetch.
func (k *keys) find(ctx context.Context, id string) (*rsa.PublicKey, error) {
	if id == "" {
		return nil, refused("it names no key")
	}
	key, due := k.look(id)
	var failed error
	if due {
		fetch := k.flight.DoChan("certs", func() (any, error) {
			return nil, k.refresh(context.WithoutCancel(ctx), id)
		})
		select {
		case done := <-fetch:
			failed = done.Err
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: the request ended first", ErrUnavailable)
		}
		key, _ = k.look(id)
	}
	if key != nil {
		return key, nil
	}
	if k.stale() {
		return nil, errors.Join(ErrUnavailable, failed)
	}
	return nil, refused("an unknown key")
}

// look returns a key that may be believed now, if there is one, and whether a
// fetch is due and allowed.
func (k *keys) look(id string) (key *rsa.PublicKey, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if now.Sub(k.fetched) < keptFor {
		key = k.byID[id]
	}
	allowed := k.tried.IsZero() || now.Sub(k.tried) >= fetchGap
	return key, allowed && (key == nil || now.Sub(k.fetched) >= freshFor)
}

// stale reports whether there is no set of keys that may be believed.
func (k *keys) stale() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now().Sub(k.fetched) >= keptFor
}

// refresh fetches once, unless someone else just did. The try is noted when it
// is over, so that whoever comes meanwhile waits for it.
func (k *keys) refresh(ctx context.Context, id string) error {
	if _, due := k.look(id); !due {
		return nil
	}
	started := k.now()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	byID, err := k.fetch(ctx)

	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = started
	if err != nil {
		return err
	}
	k.byID, k.fetched = byID, started
	return nil
}

func (k *keys) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.address, nil)
	if err != nil {
		return nil, fmt.Errorf("identity: the certs address: %w", err)
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("identity: fetch the keys: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("identity: the certs address answers %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxCerts+1))
	if err != nil {
		return nil, fmt.Errorf("identity: read the keys: %w", err)
	}
	if len(body) > maxCerts {
		return nil, errors.New("identity: the keys are over 1 MiB")
	}
	return usableKeys(body)
}

// usableKeys picks the RSA signing keys out of a key set. A key that cannot be
// used is passed over; a set with none is an error, so that it never replaces a
// good one.
func usableKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("identity: the keys are not a JSON key set")
	}
	byID := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(raw); err != nil || key.KeyID == "" {
			continue
		}
		if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(jose.RS256) {
			continue
		}
		if public, ok := key.Key.(*rsa.PublicKey); ok && public.N.BitLen() >= minKeyBits {
			byID[key.KeyID] = public
		}
	}
	if len(byID) == 0 {
		return nil, errors.New("identity: the key set holds no RSA signing key")
	}
	return byID, nil
}
