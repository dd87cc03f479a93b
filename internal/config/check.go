package config

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	textSender = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|MG[0-9a-f]{32})$`)
	accountSID = regexp.MustCompile(`^AC[0-9a-f]{32}$`)
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)
)

// checkStore looks at the stage, the databases and the keys.
func (c *Config) checkStore() (bad Complaints) {
	if !slices.Contains([]Env{Local, Dev, Staging, Production}, c.Env) {
		bad = append(bad, "APP_ENV must be local, dev, staging or production.")
	}
	bad = append(bad, c.checkDatabase("DATABASE_URL", c.DatabaseURL)...)
	if c.MigrateDatabaseURL != c.DatabaseURL {
		bad = append(bad, c.checkDatabase("MIGRATE_DATABASE_URL", c.MigrateDatabaseURL)...)
	}
	bad = append(bad, c.checkReplica()...)
	if c.DatabaseMaxConns < 2 || c.DatabaseMaxConns > 1000 {
		bad = append(bad, "DATABASE_MAX_CONNS must be between 2 and 1000.")
	}
	if !slices.Contains([]string{TLSVerified, TLSEncrypted}, c.DatabaseTLS) {
		bad = append(bad, "DATABASE_TLS must be verified or encrypted.")
	}
	return append(append(append(bad, c.checkRedis()...), c.checkKeyset()...), c.checkBackup()...)
}

// checkWeb looks at the public address and at how people sign in.
func (c *Config) checkWeb() (bad Complaints) {
	if c.Port < 1 || c.Port > 65535 {
		bad = append(bad, "PORT must be between 1 and 65535.")
	}
	if c.WorkerPort < 0 || c.WorkerPort > 65535 {
		bad = append(bad, "WORKER_PORT must be between 1 and 65535.")
	}
	bad = append(bad, c.checkOrigin("BASE_URL", c.BaseURL)...)
	if probe, err := url.Parse(c.ProbeURL); c.ProbeURL != c.BaseURL+"/readyz" && (err != nil || probe.Host == "" || probe.User != nil || probe.Scheme != "http" && probe.Scheme != "https") {
		bad = append(bad, "PROBE_URL must be the web's /readyz as the worker reaches it, such as http://web.internal:8080/readyz, without credentials.")
	}
	if c.Env.Guarded() && slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		bad = append(bad, fmt.Sprintf("TRUSTED_PROXIES names every address, so each caller could say that they are another; %s refuses it.", c.Env))
	}
	bad = append(bad, c.checkEdge("ADDRESS_HEADER", c.AddressHeader)...)
	bad = append(bad, c.checkEdge("COUNTRY_HEADER", c.CountryHeader)...)
	if !slices.Contains([]string{"off", "detect", "block"}, c.WAF) {
		bad = append(bad, "WAF must be off, detect or block.")
	}
	return append(bad, c.checkSignIn()...)
}

// checkEdge wants the name of a header, and somebody who may set it.
func (c *Config) checkEdge(name, header string) Complaints {
	switch {
	case header == "":
		return nil
	case !headerName.MatchString(header):
		return Complaints{name + " must be the name of a header, such as CF-Connecting-IP or CF-IPCountry."}
	case len(c.TrustedProxies) == 0:
		return Complaints{name + " is believed from TRUSTED_PROXIES alone, and that is empty."}
	}
	return nil
}

// checkOrigin wants a scheme and a host and nothing more; in a guarded stage,
// https and a host that others can reach.
func (c *Config) checkOrigin(name, address string) Complaints {
	if bad := c.checkAddress(name, address); len(bad) > 0 {
		return bad
	}
	if parsed, err := url.Parse(address); err != nil || parsed.Path != "" {
		return Complaints{name + " must not have a path."}
	}
	return nil
}

// checkAddress wants an http or https address without credentials or query; in
// a guarded stage, https and a host that is not this machine or its network.
func (c *Config) checkAddress(name, address string) Complaints {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return Complaints{name + " must be an address that begins with https:// (or http:// on one machine)."}
	case parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "":
		return Complaints{name + " must not hold a user name, a query or a fragment."}
	case c.Env.Guarded() && parsed.Scheme != "https":
		return Complaints{fmt.Sprintf("%s must begin with https:// in %s.", name, c.Env)}
	case c.Env.Guarded() && isNear(parsed.Hostname()):
		return Complaints{fmt.Sprintf("%s points at this machine or its network, as a sandbox does; %s refuses it.", name, c.Env)}
	case c.Env == Dev && isHere(parsed.Hostname()):
		return Complaints{fmt.Sprintf("%s points at this machine; dev is shared, so it must be an address that all of it reaches.", name)}
	}
	return nil
}

// checkProviders looks at the accounts that mail, texts and drafts go through.
func (c *Config) checkProviders() (bad Complaints) {
	bad = append(bad, c.checkAddress("SENDGRID_BASE_URL", c.SendGrid.BaseURL)...)
	bad = append(bad, c.checkAddress("TWILIO_BASE_URL", c.Twilio.BaseURL)...)
	bad = append(bad, c.checkAddress("OPENAI_BASE_URL", c.OpenAI.BaseURL)...)
	bad = append(bad, c.checkCredential("SENDGRID_API_KEY", c.SendGrid.APIKey)...)
	bad = append(bad, c.checkCredential("TWILIO_AUTH_TOKEN", c.Twilio.AuthToken)...)
	bad = append(bad, c.checkCredential("OPENAI_API_KEY", c.OpenAI.APIKey)...)
	if !isECDSA(c.SendGrid.WebhookKey) {
		bad = append(bad, "SENDGRID_WEBHOOK_KEY must be the verification key of the event webhook: base64 of an ECDSA public key.")
	}
	from, err := mail.ParseAddress(c.Mail.From)
	switch {
	case err != nil || from.Address != c.Mail.From:
		bad = append(bad, "MAIL_FROM must be an e-mail address.")
	case c.Env.Guarded() && (strings.HasSuffix(c.Mail.From, ".example") || isNear(c.Mail.From[strings.LastIndexByte(c.Mail.From, '@')+1:])):
		bad = append(bad, fmt.Sprintf("MAIL_FROM is a made-up address; %s refuses it.", c.Env))
	}
	if !strings.HasPrefix(c.Twilio.AccountSID, "AC") || c.Env.Guarded() && !accountSID.MatchString(c.Twilio.AccountSID) {
		bad = append(bad, "TWILIO_ACCOUNT_SID must be AC and 32 hexadecimal digits.")
	}
	if !textSender.MatchString(c.Twilio.From) {
		bad = append(bad, "TWILIO_FROM must be a number such as +15550100123, or a messaging service's MG and 32 hexadecimal digits.")
	}
	return bad
}

// checkCredential wants a value, and in a guarded stage one that nobody can
// have copied from an example.
func (c *Config) checkCredential(name string, value Secret) Complaints {
	if value == "" {
		return Complaints{fmt.Sprintf("%s (or %s_FILE) must be set.", name, name)}
	}
	lower := strings.ToLower(value.Reveal())
	for _, sample := range []string{"sandbox", "changeme", "example", "default"} {
		if c.Env.Guarded() && strings.Contains(lower, sample) {
			return Complaints{fmt.Sprintf("%s is a sample value; %s refuses it.", name, c.Env)}
		}
	}
	return nil
}

// checkBlob looks at the place outside the database. A folder is lost with its machine, and often restored with it.
func (c *Config) checkBlob() Complaints {
	place, err := url.Parse(c.BlobURL)
	switch {
	case c.BlobURL == "" && c.Env.Guarded():
		return Complaints{fmt.Sprintf("BLOB_URL must name a bucket outside the database, such as s3://riverside-countersign?region=us-west-2, in %s: without it a restored database sends again what it does not know of.", c.Env)}
	case c.BlobURL == "":
		return nil
	case err != nil || place.User != nil || place.Scheme != "file" && place.Scheme != "s3":
		return Complaints{"BLOB_URL must begin with s3:// (or file:/// on one machine), and holds no credentials."}
	case place.Scheme == "file" && c.Env.Guarded():
		return Complaints{fmt.Sprintf("BLOB_URL is a folder of this machine, which %s refuses; it must be a bucket.", c.Env)}
	case place.Scheme == "file" && (place.Host != "" || !strings.HasPrefix(place.Path, "/") || place.Path == "/"):
		return Complaints{"BLOB_URL must name a whole path with three slashes, such as file:///var/lib/countersign."}
	case place.Scheme == "s3" && place.Host == "":
		return Complaints{"BLOB_URL must name its bucket, such as s3://riverside-countersign?region=us-west-2."}
	}
	endpoint, err := url.Parse(place.Query().Get("endpoint"))
	plain := place.Query().Get("disable_https") != "" || err != nil || endpoint.String() != "" && (endpoint.Scheme != "https" || isNear(endpoint.Hostname()))
	if plain && c.Env.Guarded() {
		return Complaints{fmt.Sprintf("BLOB_URL has an endpoint that is not https or is on this machine or its network; %s refuses it.", c.Env)}
	}
	return nil
}

// checkRunning looks at watching, stopping and waiting.
func (c *Config) checkRunning() (bad Complaints) {
	if c.SentryDSN != "" {
		dsn, err := url.Parse(c.SentryDSN.Reveal())
		switch {
		case err != nil || dsn.User == nil || dsn.Hostname() == "" || strings.Trim(dsn.Path, "/") == "":
			bad = append(bad, "SENTRY_DSN must be an address with a key and a project, or empty.")
		case c.Env.Guarded() && (dsn.Scheme != "https" || isNear(dsn.Hostname())):
			bad = append(bad, fmt.Sprintf("SENTRY_DSN must be an https address outside this network in %s.", c.Env))
		}
	}
	if c.Env.Guarded() && c.MetricsToken != "" && len(c.MetricsToken) < 16 {
		bad = append(bad, fmt.Sprintf("METRICS_TOKEN must have 16 characters or more in %s.", c.Env))
	}
	if !slices.Contains([]string{"debug", "info", "notice", "warn", "error"}, c.LogLevel) {
		bad = append(bad, "LOG_LEVEL must be debug, info, notice, warn or error.")
	}
	if c.WorkerConcurrency < 1 || c.WorkerConcurrency > 256 {
		bad = append(bad, "WORKER_CONCURRENCY must be between 1 and 256.")
	}
	if c.ShutdownTimeout < time.Second || c.ShutdownTimeout > 10*time.Minute {
		bad = append(bad, "SHUTDOWN_TIMEOUT must be between 1s and 10m.")
	} else if c.DrainDelay <= 0 || c.DrainDelay > c.ShutdownTimeout {
		bad = append(bad, "DRAIN_DELAY must be longer than nothing, and no longer than SHUTDOWN_TIMEOUT.")
	}
	bad = append(append(append(bad, c.checkBlob()...), c.checkLedger()...), c.checkLimits()...)
	return append(bad, c.Times.check()...)
}

// checkLimits wants limits that limit: a guarded stage takes at most ten times
// the defaults.
func (c *Config) checkLimits() (bad Complaints) {
	eachSetting(reflect.ValueOf(c.Limits), "LIMIT_", func(name string, field reflect.StructField, value reflect.Value) {
		standard, _ := strconv.ParseInt(field.Tag.Get("envDefault"), 10, 64)
		switch {
		case value.Int() < 1:
			bad = append(bad, name+" must be 1 or more.")
		case c.Env.Guarded() && value.Int() > 10*standard:
			bad = append(bad, fmt.Sprintf("%s must be at most %d in %s.", name, 10*standard, c.Env))
		}
	})
	return bad
}

// check refuses times under which a send could still be running when its lease
// has ended and someone else holds the row.
func (t Times) check() (bad Complaints) {
	eachSetting(reflect.ValueOf(t), "TIME_", func(name string, _ reflect.StructField, wait reflect.Value) {
		if wait.Int() <= 0 {
			bad = append(bad, name+" must be longer than nothing.")
		}
	})
	if t.Lease <= t.StartWindow+t.ProviderTimeout {
		bad = append(bad, fmt.Sprintf("TIME_LEASE (%s) must be longer than TIME_START_WINDOW and TIME_PROVIDER_TIMEOUT together (%s).",
			t.Lease, t.StartWindow+t.ProviderTimeout))
	}
	if t.RemindSecond <= t.RemindFirst {
		bad = append(bad, fmt.Sprintf("TIME_REMIND_SECOND (%s) must be longer than TIME_REMIND_FIRST (%s): both count from the notice.", t.RemindSecond, t.RemindFirst))
	}
	return bad
}

func isECDSA(key string) bool {
	der, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return false
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return false
	}
	_, ok := public.(*ecdsa.PublicKey)
	return ok
}
