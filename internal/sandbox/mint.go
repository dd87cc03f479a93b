package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MintOption bends the header or the signature of a token, for tests of what the app must refuse.
type MintOption func(*minting)

type minting struct {
	algorithm string
	key       any
	header    map[string]any
}

// MintHeader sets a field of the token's header, e.g. "kid". It cannot set "alg"; see MintAlgorithm.
func MintHeader(name string, value any) MintOption {
	return func(m *minting) { m.header[name] = value }
}

// MintAlgorithm signs with another algorithm: "none" leaves the signature out; "HS256", "HS384" and "HS512" use the
// PEM of the public key as their secret, as an attacker would; RSA ones use the usual key.
func MintAlgorithm(algorithm string) MintOption {
	return func(m *minting) { m.algorithm = algorithm }
}

// MintStranger signs with a fresh key that is not published; the kid stays the usual one.
func MintStranger() MintOption {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // now, and not while somebody waits for an answer
	return func(m *minting) {
		if m.key = key; err != nil {
			m.key = nil
		}
	}
}

// Mint makes an application token as Access does. Claims are laid over the usual ones (iss, aud, iat, nbf, exp in
// 24 h, type, identity_nonce); a nil claim takes the usual one away. Times are seconds since 1970.
// It fails when a claim cannot be JSON or the algorithm is unknown.
func (s *Sandbox) Mint(claims map[string]any, options ...MintOption) (string, error) {
	now := time.Now()
	all := map[string]any{
		"iss": s.opt.PublicURL, "aud": []string{s.keys.AccessAud}, "type": "app", "identity_nonce": randomText(12),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(accessSession).Unix(),
	}
	maps.Copy(all, claims)
	return mint(all, s.keys.access, s.keys.accessKeyID, options)
}

// mint signs claims; those that are nil are left out.
func mint(claims map[string]any, key *rsa.PrivateKey, id string, options []MintOption) (string, error) {
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sandbox: mint: %w", err)
	}
	m := minting{algorithm: string(jose.RS256), key: key, header: map[string]any{"kid": id, "typ": "JWT"}}
	for _, option := range options {
		option(&m)
	}
	switch m.algorithm {
	case "none":
		return m.unsigned(payload)
	case "HS256", "HS384", "HS512":
		m.key = publicPEM(key)
	}
	return m.sign(payload)
}

func (m minting) sign(payload []byte) (string, error) {
	options := &jose.SignerOptions{}
	for name, value := range m.header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(m.algorithm), Key: m.key}, options)
	if err != nil {
		return "", fmt.Errorf("sandbox: mint: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sandbox: mint: %w", err)
	}
	return signed.CompactSerialize()
}

func (m minting) unsigned(payload []byte) (string, error) {
	m.header["alg"] = "none"
	header, err := json.Marshal(m.header)
	if err != nil {
		return "", fmt.Errorf("sandbox: mint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", nil
}
