package config

import (
	"strings"
	"testing"
)

// withOIDC is an environment in which people sign in through an OpenID provider.
func withOIDC(start func(*testing.T) map[string]string, issuer string) func(*testing.T) map[string]string {
	return func(t *testing.T) map[string]string {
		environ := start(t)
		delete(environ, "ACCESS_ISSUER")
		delete(environ, "ACCESS_AUD")
		environ["OIDC_ISSUER"], environ["OIDC_CLIENT_ID"], environ["OIDC_CLIENT_SECRET"] = issuer, "countersign", "q7Wz-live-secret"
		return environ
	}
}

func TestSignInByOIDC(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"https://id.riverside-clinic.org", "https://id.riverside-clinic.org/realms/clinic", "https://riverside.eu.auth0.com/"} {
		c, err := Load(from(withOIDC(production, issuer)(t)))
		if err != nil {
			t.Fatalf("%s: %v", issuer, err)
		}
		if c.Issuer() != issuer || strings.Contains(c.String(), "live-secret") {
			t.Errorf("the issuer is %q, want %q; or the secret prints", c.Issuer(), issuer)
		}
	}
	if c, err := Load(from(production(t))); err != nil || c.Issuer() != "https://riverside.cloudflareaccess.com" {
		t.Errorf("with Access: %v", err)
	}
}

func TestSignInRefusesEachFault(t *testing.T) {
	t.Parallel()
	here, real := withOIDC(local, "http://localhost:8090"), withOIDC(production, "https://id.riverside-clinic.org")
	refuse(t, map[string]fault{
		"both ways":                   {production, "OIDC_ISSUER", "https://id.riverside-clinic.org", "one of the two"},
		"no issuer":                   {here, "OIDC_ISSUER", "", "OpenID provider"},
		"no audience":                 {here, "OIDC_CLIENT_ID", "", "audience"},
		"no audience, production":     {real, "OIDC_CLIENT_ID", "", "audience"},
		"no secret":                   {real, "OIDC_CLIENT_SECRET", "", "must be set"},
		"a sample secret":             {real, "OIDC_CLIENT_SECRET", "changeme", "a sample value"},
		"plain http":                  {real, "OIDC_ISSUER", "http://id.riverside-clinic.org", "https://"},
		"the sandbox":                 {real, "OIDC_ISSUER", "https://localhost:8090", "points at this machine"},
		"an issuer with a query":      {here, "OIDC_ISSUER", "http://localhost:8090?x=1", "a query"},
		"fresh for too short":         {local, "SIGN_FRESH", "14m", "between 15m and 12h"},
		"fresh for too long":          {local, "SIGN_FRESH", "12h1s", "between 15m and 12h"},
		"fresh for no length of time": {local, "SIGN_FRESH", "4", "a length of time"},
	})
}

// Half of one way beside the other is both ways, and nothing at all is Access not yet set up.
func TestSignInIsOneWay(t *testing.T) {
	t.Parallel()
	half := production(t)
	half["OIDC_CLIENT_SECRET"] = "q7Wz-live-secret"
	if _, err := Load(from(half)); err == nil || !strings.Contains(err.Error(), "one of the two") {
		t.Errorf("half of one beside the other gave %v", err)
	}
	none := local(t)
	delete(none, "ACCESS_ISSUER")
	delete(none, "ACCESS_AUD")
	if _, err := Load(from(none)); err == nil || !strings.Contains(err.Error(), "ACCESS_AUD must") || !strings.Contains(err.Error(), "or set OIDC_ISSUER") {
		t.Errorf("neither way gave %v", err)
	}
}
