package identity

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestVerifySaysWhoItIs(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access, good := team.access(t), team.token()
	person, err := access.Verify(t.Context(), good.String())
	if err != nil {
		t.Fatal(err)
	}
	want := Person{Issuer: team.URL, Subject: "amara-osei", Email: "amara.osei@riverside.example", Name: "Dr Amara Osei",
		SignedInAt: team.now(), TokenHash: person.TokenHash}
	if !person.SignedInAt.Equal(want.SignedInAt) {
		t.Errorf("issued at %v, want %v", person.SignedInAt, want.SignedInAt)
	}
	if person.SignedInAt = want.SignedInAt; person != want {
		t.Errorf("person is %+v, want %+v", person, want)
	}
	delete(good.claims, "name")
	good.claims["custom"] = map[string]any{"name": "Amara Osei"}
	other, err := access.Verify(t.Context(), good.String())
	if err != nil || other.Name != "Amara Osei" {
		t.Errorf("the name under custom gave %q, %v", other.Name, err)
	}
	if other.TokenHash == person.TokenHash || other.TokenHash == [32]byte{} {
		t.Error("two tokens have one hash")
	}
}

// Each bad token differs from a good one in one thing, and the good one is
// accepted by the same verifier before and after.
func TestVerifyRefusesBadTokens(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bend func(*token, time.Time)
		says string
	}{
		"unsigned":                {func(k *token, _ time.Time) { k.header["alg"] = "none"; k.sign = func([]byte) []byte { return nil } }, "RS256"},
		"none, signed":            {func(k *token, _ time.Time) { k.header["alg"] = "none" }, "RS256"},
		"HS256 by the public key": {func(k *token, _ time.Time) { k.header["alg"] = "HS256"; k.sign = withPublicKeyAsSecret }, "RS256"},
		"HS256 named RS256":       {func(k *token, _ time.Time) { k.sign = withPublicKeyAsSecret }, "signature"},
		"RS512":                   {func(k *token, _ time.Time) { k.header["alg"] = "RS512" }, "RS256"},
		"wrong issuer":            {func(k *token, _ time.Time) { k.claims["iss"] = "https://elsewhere.cloudflareaccess.com" }, "another issuer"},
		"issuer with a slash":     {func(k *token, _ time.Time) { k.claims["iss"] = k.claims["iss"].(string) + "/" }, "another issuer"},
		"no issuer":               {func(k *token, _ time.Time) { delete(k.claims, "iss") }, "another issuer"},
		"wrong audience":          {func(k *token, _ time.Time) { k.claims["aud"] = []string{"another-app"} }, "another audience"},
		"no audience":             {func(k *token, _ time.Time) { delete(k.claims, "aud") }, "another audience"},
		"expired":                 {func(k *token, now time.Time) { k.claims["exp"] = now.Add(-61 * time.Second).Unix() }, "expired"},
		"no expiry":               {func(k *token, _ time.Time) { delete(k.claims, "exp") }, "expires"},
		"not yet valid":           {func(k *token, now time.Time) { k.claims["nbf"] = now.Add(61 * time.Second).Unix() }, "not yet valid"},
		"issued in the future":    {func(k *token, now time.Time) { k.claims["iat"] = now.Add(61 * time.Second).Unix() }, "in the future"},
		"no issue time":           {func(k *token, _ time.Time) { delete(k.claims, "iat") }, "issued"},
		"unknown key":             {func(k *token, _ time.Time) { k.header["kid"] = "key-9"; k.sign = withRSA(1) }, "an unknown key"},
		"known id, other key":     {func(k *token, _ time.Time) { k.sign = withRSA(1) }, "signature"},
		"no key id":               {func(k *token, _ time.Time) { delete(k.header, "kid") }, "names no key"},
		"its own key in it":       {func(k *token, _ time.Time) { k.header["jwk"] = publicJWK("key-0", 1); k.sign = withRSA(1) }, "signature"},
		"missing sub":             {func(k *token, _ time.Time) { delete(k.claims, "sub") }, "no subject"},
		"service token":           {func(k *token, _ time.Time) { k.claims["sub"], k.claims["common_name"] = "", "ci.access" }, "no subject"},
		"another type":            {func(k *token, _ time.Time) { k.claims["type"] = "org" }, "another type"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			team := newIssuer(t)
			access := team.access(t)
			if _, err := access.Verify(t.Context(), team.token().String()); err != nil {
				t.Fatalf("without the fault: %v", err)
			}
			bad := team.token()
			tt.bend(bad, team.now())
			person, err := access.Verify(t.Context(), bad.String())
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v, want refused with %q", err, tt.says)
			}
			if person != (Person{}) {
				t.Error("a refused token names a person")
			}
			if _, err := access.Verify(t.Context(), team.token().String()); err != nil {
				t.Errorf("the fault removed: %v", err)
			}
		})
	}
}

func TestVerifyAllowsAMinuteBetweenClocks(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access := team.access(t)
	for name, bend := range map[string]func(*token){
		"just expired":        func(k *token) { k.claims["exp"] = team.now().Add(-59 * time.Second).Unix() },
		"nearly valid":        func(k *token) { k.claims["nbf"] = team.now().Add(59 * time.Second).Unix() },
		"issued a bit ahead":  func(k *token) { k.claims["iat"] = team.now().Add(59 * time.Second).Unix() },
		"no type":             func(k *token) { delete(k.claims, "type") },
		"audience as a word":  func(k *token) { k.claims["aud"] = audience },
		"audience among more": func(k *token) { k.claims["aud"] = []string{"another-app", audience} },
	} {
		good := team.token()
		bend(good)
		if _, err := access.Verify(t.Context(), good.String()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyRefusesBentSpelling(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access, good := team.access(t), team.token().String()
	want, err := access.Verify(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for name, bad := range map[string]string{
		"empty":             "",
		"two parts":         parts[0] + "." + parts[1],
		"no signature":      parts[0] + "." + parts[1] + ".",
		"four parts":        good + "." + parts[2],
		"white space":       parts[0] + "." + parts[1] + ". " + parts[2],
		"padding":           good + "=",
		"two with a comma":  good + "," + good,
		"JSON":              `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"over 16 KiB":       good + strings.Repeat("A", maxToken),
		"payload exchanged": parts[0] + "." + part(map[string]any{"sub": "ruth-ebbing"}) + "." + parts[2],
	} {
		if _, err := access.Verify(t.Context(), bad); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The last character of a signature has bits that say nothing. A token that
	// is respelt there must not pass for a new one.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, good[len(good)-1])
	respelt := good[:len(good)-1] + alphabet[last^1:last^1+1]
	if person, err := access.Verify(t.Context(), respelt); err == nil && person.TokenHash != want.TokenHash {
		t.Error("a respelt token has a hash of its own")
	}
}

func TestFromRequest(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access := team.access(t)
	tests := map[string]struct {
		headers, cookies []string
		trusted          bool
		want             string
		err              error
	}{
		"header from a trusted proxy":    {[]string{"h"}, nil, true, "h", nil},
		"header before the cookie":       {[]string{"h"}, []string{"c"}, true, "h", nil},
		"header from an untrusted peer":  {[]string{"h"}, nil, false, "", ErrNoToken},
		"untrusted header, cookie":       {[]string{"h"}, []string{"c"}, false, "c", nil},
		"two headers":                    {[]string{"h", "h"}, nil, true, "", ErrRefused},
		"two headers and a cookie":       {[]string{"h", "x"}, []string{"c"}, true, "", ErrRefused},
		"cookie":                         {nil, []string{"c"}, false, "c", nil},
		"cookie through a trusted proxy": {nil, []string{"c"}, true, "c", nil},
		"two cookies":                    {nil, []string{"c", "d"}, false, "", ErrRefused},
		"an empty cookie":                {nil, []string{""}, false, "", ErrNoToken},
		"nothing":                        {nil, nil, true, "", ErrNoToken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, value := range tt.headers {
				r.Header.Add("Cf-Access-Jwt-Assertion", value)
			}
			for _, value := range tt.cookies {
				r.AddCookie(&http.Cookie{Name: "CF_Authorization", Value: value})
			}
			got, err := access.FromRequest(r, tt.trusted)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestNewAccessRefusesWhatWouldLetAnyoneIn(t *testing.T) {
	t.Parallel()
	for name, given := range map[string][2]string{
		"no audience":      {"https://riverside.cloudflareaccess.com", " "},
		"no issuer":        {"", audience},
		"no scheme":        {"riverside.cloudflareaccess.com", audience},
		"slash at the end": {"https://riverside.cloudflareaccess.com/", audience},
		"a file":           {"file:///keys", audience},
	} {
		if _, err := NewAccess(given[0], given[1]); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestVerifyEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	asked, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	team.publish(func(http.ResponseWriter, *http.Request) { close(asked); <-release })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := team.access(t).Verify(ctx, team.token().String()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
}
