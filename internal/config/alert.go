package config

import (
	"encoding/base64"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"countersign/internal/alert"
)

// checkAlerts looks at how operators are told. None of it has to be set.
func (c *Config) checkAlerts() (bad Complaints) {
	a := c.Alert
	if from, err := mail.ParseAddress(a.Email); a.Email != "" && (err != nil || from.Address != a.Email) {
		bad = append(bad, "ALERT_EMAIL must be an e-mail address, or empty.")
	}
	if a.WebhookURL != "" {
		bad = append(bad, c.checkCalled("ALERT_WEBHOOK_URL", a.WebhookURL)...)
		raw, ok := strings.CutPrefix(a.WebhookSecret.Reveal(), "whsec_")
		if key, err := base64.StdEncoding.DecodeString(raw); !ok || err != nil || len(key) < 24 || len(key) > 64 {
			bad = append(bad, "ALERT_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64 bytes, such as of openssl rand -base64 32.")
		}
	}
	if c.HeartbeatURL != "" {
		bad = append(bad, c.checkCalled("HEARTBEAT_URL", c.HeartbeatURL)...)
	}
	if a.Repeat < 5*time.Minute || a.Repeat > 7*24*time.Hour {
		bad = append(bad, "ALERT_REPEAT must be between 5m and 168h.")
	}
	for _, name := range a.Off {
		if _, ok := alert.Of(name); !ok {
			bad = append(bad, fmt.Sprintf("ALERT_OFF names %q, which is no rule; docs/OPERATIONS.md lists them.", name))
		}
	}
	if c.SentryTraces < 0 || c.SentryTraces > 1 {
		bad = append(bad, "SENTRY_TRACES must be between 0 and 1.")
	}
	return bad
}

// checkCalled wants an address that may be called with what operators are told. It may hold a secret, so it is never quoted.
func (c *Config) checkCalled(name string, address Secret) Complaints {
	parsed, err := url.Parse(address.Reveal())
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return Complaints{name + " must be an address that begins with https:// (or http:// on one machine)."}
	case c.Env.Guarded() && (parsed.Scheme != "https" || isNear(parsed.Hostname())):
		return Complaints{fmt.Sprintf("%s must be an https address outside this network in %s.", name, c.Env)}
	}
	return nil
}
