package identity

import (
	"context"
	"crypto/hmac"
	"errors"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// verify says whose id token it is. Signature, issuer, audience and expiry are
// the library's work; what the specification leaves to us is judged in judge.
func (o *OIDC) verify(ctx context.Context, f flow, raw string) (Person, error) {
	if _, ok := signedPart(raw); !ok {
		return Person{}, refused("not a compact token")
	}
	found := &keysOfOne{keys: o.keys}
	verifier := oidc.NewVerifier(o.issuer, found, &oidc.Config{ClientID: o.id, SupportedSigningAlgs: []string{oidc.RS256}, Now: o.now})
	token, err := verifier.Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	switch {
	case found.err != nil:
		return Person{}, found.err
	case errors.As(err, &expired):
		return Person{}, refused("expired")
	case err != nil: // its text may quote the token
		return Person{}, refused("not signed with RS256, or of another issuer or audience")
	}
	var said idClaims
	if err := token.Claims(&said); err != nil {
		return Person{}, refused("its claims cannot be read")
	}
	if err := o.judge(f, token, said); err != nil {
		return Person{}, err
	}
	return Person{Issuer: o.issuer, Subject: token.Subject, Email: said.Email, Name: said.Name, SignedInAt: said.AuthTime.Time(),
		Anew: f.Anew, TokenHash: f.hash()}, nil
}

type idClaims struct {
	Party     string           `json:"azp"`
	Email     string           `json:"email"`
	Name      string           `json:"name"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	AuthTime  *jwt.NumericDate `json:"auth_time"`
}

// judge looks at what a token says that is signed, of our issuer, for us and
// not expired.
func (o *OIDC) judge(f flow, token *oidc.IDToken, said idClaims) error {
	now := o.now()
	future := func(d *jwt.NumericDate) bool { return d != nil && d.Time().After(now.Add(leeway)) }
	switch {
	case !hmac.Equal([]byte(token.Nonce), []byte(f.nonce())):
		return refused("the token is of another sign-in")
	case said.Party != "" && said.Party != o.id || said.Party == "" && len(token.Audience) > 1:
		return refused("issued to another party")
	case strings.TrimSpace(token.Subject) == "":
		return refused("no subject")
	case said.IssuedAt == nil || said.AuthTime == nil:
		return refused("it does not say when it was issued and when the person signed in")
	case future(said.NotBefore):
		return refused("not yet valid")
	case future(said.IssuedAt) || future(said.AuthTime):
		return refused("issued in the future")
	case f.Anew && said.AuthTime.Time().Before(time.Unix(f.Began, 0).Add(-leeway)):
		return refused("the person was not asked anew")
	case said.AuthTime.Time().Before(now.Add(-maxAge - leeway)):
		return refused("the person signed in too long ago")
	}
	return nil
}

// keysOfOne looks up the key of one token. The library turns its error into
// text, so it is kept here too: to have no keys is not the token's fault.
type keysOfOne struct {
	keys *keys
	err  error
}

// VerifySignature is what the library calls.
func (k *keysOfOne) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	key, err := k.keys.find(ctx, signed.Signatures[0].Header.KeyID)
	if err != nil {
		k.err = err
		return nil, err
	}
	payload, err := signed.Verify(key)
	if err != nil {
		k.err = refused("the signature does not match")
	}
	return payload, err
}
