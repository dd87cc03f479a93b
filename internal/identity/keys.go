package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

const minKeyBits = 2048

// keys are the issuer's public signing keys, from its own address only.
type keys struct {
	set kept[map[string]*rsa.PublicKey]
}

// newKeys makes a key set. address is asked before each fetch: an OIDC issuer
// may move its keys.
func newKeys(s settings, address func(context.Context) (string, error)) *keys {
	return &keys{set: kept[map[string]*rsa.PublicKey]{now: s.now, fetch: func(ctx context.Context) (map[string]*rsa.PublicKey, error) {
		at, err := address(ctx)
		if err != nil {
			return nil, err
		}
		return fetchKeys(ctx, s.client, at)
	}}}
}

// find returns the key with an id.
func (k *keys) find(ctx context.Context, id string) (*rsa.PublicKey, error) {
	if id == "" {
		return nil, refused("it names no key")
	}
	set, ok, err := k.set.get(ctx, func(set map[string]*rsa.PublicKey) bool { return set[id] != nil })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refused("an unknown key")
	}
	return set[id], nil
}

func fetchKeys(ctx context.Context, client *http.Client, address string) (map[string]*rsa.PublicKey, error) {
	body, err := read(ctx, client, address)
	if err != nil {
		return nil, err
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
