package config

import (
	"fmt"
	"strings"
	"time"
)

// checkSignIn looks at how people sign in: through Access or through an OpenID provider, never both, since then each
// person would be two.
func (c *Config) checkSignIn() (bad Complaints) {
	if c.SignFresh < 15*time.Minute || c.SignFresh > 12*time.Hour {
		bad = append(bad, "SIGN_FRESH must be between 15m and 12h.")
	}
	access, provider := c.Access != Access{}, c.OIDC != OIDC{}
	switch {
	case access && provider:
		return append(bad, "OIDC_ISSUER and the other OIDC_ settings stand beside ACCESS_ settings; people sign in through one of the two, so leave the others empty.")
	case provider:
		return append(bad, c.checkOIDC()...)
	default:
		return append(bad, c.checkAccess()...)
	}
}

func (c *Config) checkAccess() (bad Complaints) {
	if c.Access.Audience == "" {
		bad = append(bad, "ACCESS_AUD must hold the audience tag of the Access application; without it anyone's token would do.")
	}
	if c.Access.Issuer == "" {
		return append(bad, "ACCESS_ISSUER must be the address of the Access team, such as https://riverside.cloudflareaccess.com; or set OIDC_ISSUER for an OpenID provider.")
	}
	issuer := c.checkOrigin("ACCESS_ISSUER", c.Access.Issuer)
	if len(issuer) == 0 && c.Env.Guarded() && !strings.HasSuffix(c.Access.Issuer, ".cloudflareaccess.com") {
		issuer = Complaints{fmt.Sprintf("ACCESS_ISSUER must end in .cloudflareaccess.com in %s.", c.Env)}
	}
	return append(bad, issuer...)
}

// checkOIDC: the issuer may have a path, and a slash at its end if the provider's has one.
func (c *Config) checkOIDC() (bad Complaints) {
	if c.OIDC.Issuer == "" {
		bad = append(bad, "OIDC_ISSUER must be the address of the OpenID provider, exactly as its tokens give it.")
	} else {
		bad = append(bad, c.checkAddress("OIDC_ISSUER", c.OIDC.Issuer)...)
	}
	if c.OIDC.ClientID == "" {
		bad = append(bad, "OIDC_CLIENT_ID must be the client's id at the provider; it is the audience, and without it anyone's token would do.")
	}
	return append(bad, c.checkCredential("OIDC_CLIENT_SECRET", c.OIDC.ClientSecret)...)
}
