// Package identity says who is calling: it verifies the tokens of Cloudflare
// Access, sends people to an OpenID provider and judges what they bring back,
// and finds the address a request really came from.
//
// It knows tokens, keys, headers and proxies. It does not know people's roles,
// sessions or the database: a verified Person may still be nobody here.
package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var (
	// ErrNoToken says that a request carries no token: send the person to
	// sign in.
	ErrNoToken = errors.New("identity: the request carries no token")
	// ErrRefused says that a token is not good. The wrapped reason is for the
	// log and the audit; it quotes nothing from the token.
	ErrRefused = errors.New("identity: the token is refused")
	// ErrUnavailable says that the token could not be judged, because the
	// issuer's keys cannot be had. Nobody is let in meanwhile.
	ErrUnavailable = errors.New("identity: the issuer's keys cannot be had")
)

const (
	assertionHeader = "Cf-Access-Jwt-Assertion"
	accessCookie    = "CF_Authorization"
	leeway          = 60 * time.Second // how far two clocks may differ
	maxToken        = 16 << 10         // bytes
)

// Person is someone whom the issuer vouches for. (Issuer, Subject) is who they
// are; e-mail and name are attributes that may change, and may be empty.
type Person struct {
	Issuer, Subject, Email, Name string
	// SignedInAt is when the issuer last saw them: auth_time of OIDC, the time
	// of issue of an Access assertion.
	SignedInAt time.Time
	// Anew says that the issuer was asked to see them again for this sign-in,
	// and did.
	Anew bool
	// TokenHash is the same for all spellings of one token, and for all tokens
	// of one OIDC sign-in: what it marks opens one session.
	TokenHash [32]byte
}

// Access verifies the tokens of one Access application. It is safe for use by
// many goroutines.
type Access struct {
	issuer, audience string
	now              func() time.Time
	keys             *keys
}

// Option changes how an Access or an OIDC works.
type Option func(*settings)

type settings struct {
	now    func() time.Time
	client *http.Client
}

func newSettings(options []Option) settings {
	s := settings{now: time.Now, client: newClient(nil)}
	for _, option := range options {
		option(&s)
	}
	return s
}

// WithClock replaces the clock that tokens and keys are judged by.
func WithClock(now func() time.Time) Option {
	return func(s *settings) { s.now = now }
}

// WithTransport replaces what the issuer is asked through.
func WithTransport(transport http.RoundTripper) Option {
	return func(s *settings) { s.client = newClient(transport) }
}

// NewAccess makes a verifier for an issuer, such as
// https://riverside.cloudflareaccess.com, and an application's audience tag.
// Nothing is fetched yet. An empty audience is refused: any token of the
// issuer's would do.
func NewAccess(issuer, audience string, options ...Option) (*Access, error) {
	address, err := url.Parse(issuer)
	if err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http" || strings.HasSuffix(issuer, "/") {
		return nil, errors.New("identity: the issuer must be an address without a slash at the end")
	}
	if strings.TrimSpace(audience) == "" {
		return nil, errors.New("identity: the audience must not be empty")
	}
	s := newSettings(options)
	certs := func(context.Context) (string, error) { return issuer + "/cdn-cgi/access/certs", nil }
	return &Access{issuer: issuer, audience: audience, now: s.now, keys: newKeys(s, certs)}, nil
}

// FromRequest finds the token of a request: the one assertion header where the
// request came through a trusted proxy, else the cookie. The header of anyone
// else is not looked at. None is ErrNoToken; two of a kind are ErrRefused.
func (a *Access) FromRequest(r *http.Request, fromTrustedProxy bool) (string, error) {
	if headers := r.Header.Values(assertionHeader); fromTrustedProxy && len(headers) > 0 {
		if len(headers) > 1 {
			return "", refused("two assertion headers")
		}
		return headers[0], nil
	}
	cookies := r.CookiesNamed(accessCookie)
	if len(cookies) > 1 {
		return "", refused("two access cookies")
	}
	if len(cookies) == 0 || cookies[0].Value == "" {
		return "", ErrNoToken
	}
	return cookies[0].Value, nil
}

// claims is what a token says beyond the registered claims. Access puts what
// the identity provider knows under custom.
type claims struct {
	jwt.Claims
	Type   string `json:"type"`
	Email  string `json:"email"`
	Name   string `json:"name"`
	Custom struct {
		Name string `json:"name"`
	} `json:"custom"`
}

// Verify says whose token it is. Every reason to doubt it is ErrRefused, and
// ErrUnavailable when the keys cannot be had. It may fetch keys, for 3 seconds
// at most.
func (a *Access) Verify(ctx context.Context, token string) (Person, error) {
	signed, ok := signedPart(token)
	if !ok {
		return Person{}, refused("not a compact token")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return Person{}, refused("not signed with RS256")
	}
	key, err := a.keys.find(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return Person{}, err
	}
	var said claims
	if err := parsed.Claims(key, &said); err != nil {
		return Person{}, refused("the signature does not match")
	}
	if err := a.judge(said); err != nil {
		return Person{}, err
	}
	name := said.Name
	if name == "" {
		name = said.Custom.Name
	}
	return Person{
		Issuer: said.Issuer, Subject: said.Subject, Email: said.Email, Name: name,
		SignedInAt: said.IssuedAt.Time(), TokenHash: sha256.Sum256([]byte(signed)),
	}, nil
}

// judge looks at what a token with a good signature says.
func (a *Access) judge(said claims) error {
	if said.Expiry == nil || said.IssuedAt == nil {
		return refused("it does not say when it was issued and expires")
	}
	expected := jwt.Expected{Issuer: a.issuer, AnyAudience: jwt.Audience{a.audience}, Time: a.now()}
	switch err := said.ValidateWithLeeway(expected, leeway); {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return refused("another issuer")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return refused("another audience")
	case errors.Is(err, jwt.ErrExpired):
		return refused("expired")
	case errors.Is(err, jwt.ErrNotValidYet):
		return refused("not yet valid")
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return refused("issued in the future")
	case err != nil:
		return refused("its claims do not hold")
	case strings.TrimSpace(said.Subject) == "":
		return refused("no subject, as a service token has none")
	case said.Type != "" && said.Type != "app":
		return refused("another type")
	}
	return nil
}

// signedPart returns the header and payload of a token in the one spelling
// that is accepted: three parts of unpadded base64url.
func signedPart(token string) (string, bool) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return "", false
	}
	for _, c := range []byte(token) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	return token[:strings.LastIndexByte(token, '.')], true
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
