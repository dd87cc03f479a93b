package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func webhookKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// local is what make run gives: everything on this machine and a sandbox.
func local(t *testing.T) map[string]string {
	return map[string]string{
		"APP_ENV":              "local",
		"DATABASE_URL":         "postgres://app:pw-local-1@127.0.0.1:5433/countersign?sslmode=disable",
		"REDIS_URL":            "redis://127.0.0.1:6380/0",
		"KEYSET":               base64.StdEncoding.EncodeToString([]byte(`{"wrap":{},"index":{}}`)),
		"ACCESS_ISSUER":        "http://localhost:8090",
		"ACCESS_AUD":           "4714c1358e65fe4b408ad6d432a5f878",
		"SENDGRID_BASE_URL":    "http://localhost:8090",
		"SENDGRID_API_KEY":     "SG.sandbox",
		"SENDGRID_WEBHOOK_KEY": webhookKey(t),
		"MAIL_FROM":            "messages@riverside.example",
		"TWILIO_BASE_URL":      "http://localhost:8090",
		"TWILIO_ACCOUNT_SID":   "ACsandbox",
		"TWILIO_AUTH_TOKEN":    "sandbox-token",
		"TWILIO_FROM":          "+15550100123",
		"OPENAI_BASE_URL":      "http://localhost:8090/v1",
		"OPENAI_API_KEY":       "sk-sandbox",
		"SENTRY_DSN":           "http://abc@localhost:8090/1",
	}
}

// dev is local's, with a sandbox that several machines share.
func dev(t *testing.T) map[string]string {
	environ := local(t)
	for name, value := range environ {
		environ[name] = strings.ReplaceAll(value, "localhost:8090", "sandbox.clinic-dev.internal:8090")
	}
	environ["APP_ENV"], environ["BASE_URL"] = "dev", "https://countersign.clinic-dev.internal"
	return environ
}

// production is a set that a real clinic could run with.
func production(t *testing.T) map[string]string {
	return map[string]string{
		"APP_ENV":              "production",
		"BASE_URL":             "https://countersign.riverside-clinic.org",
		"DATABASE_URL":         "postgres://app:pw-real-1@db.riverside-clinic.org/countersign?sslmode=verify-full",
		"REDIS_URL":            "rediss://:pw-real-2@cache.riverside-clinic.org:6379",
		"KEYSET":               base64.StdEncoding.EncodeToString([]byte(`{"wrap":{},"index":{}}`)),
		"ACCESS_ISSUER":        "https://riverside.cloudflareaccess.com",
		"ACCESS_AUD":           "4714c1358e65fe4b408ad6d432a5f878",
		"SENDGRID_API_KEY":     "SG.q7Wz-live-key",
		"SENDGRID_WEBHOOK_KEY": webhookKey(t),
		"MAIL_FROM":            "messages@riverside-clinic.org",
		"TWILIO_ACCOUNT_SID":   "AC" + strings.Repeat("0a", 16),
		"TWILIO_AUTH_TOKEN":    "tw-live-token",
		"TWILIO_FROM":          "MG" + strings.Repeat("0b", 16),
		"OPENAI_API_KEY":       "sk-live-key",
		"SENTRY_DSN":           "https://abc@o1.ingest.sentry.io/1",
		"METRICS_TOKEN":        "0123456789abcdef",
		"BLOB_URL":             "s3://riverside-countersign?region=us-west-2",
		"LEDGER_KEY":           "PRIVATE+KEY+countersign-abcd2345+0a0b0c0d+AQxx",
	}
}

func from(environ map[string]string) func(string) string {
	return func(name string) string { return environ[name] }
}

func TestLoadAcceptsAWholeEnvironment(t *testing.T) {
	t.Parallel()
	for name, environ := range map[string]map[string]string{"local": local(t), "production": production(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Load(from(environ)); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := Load(from(dev(t))); err != nil {
		t.Errorf("dev refuses a shared sandbox: %v", err)
	}
}

func TestLoadFillsInDefaults(t *testing.T) {
	t.Parallel()
	environ := local(t)
	for _, name := range []string{"SENDGRID_BASE_URL", "TWILIO_BASE_URL", "OPENAI_BASE_URL"} {
		environ[name] = "" // set to nothing counts as not set
	}
	environ["ACCESS_ISSUER"] += "/"
	environ["TRUSTED_PROXIES"] = "10.1.2.3/8, 192.0.2.7,2001:db8::/32"
	c, err := Load(from(environ))
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]any{
		"port":        {c.Port, 8080},
		"base":        {c.BaseURL, "http://localhost:8080"},
		"owner":       {c.MigrateDatabaseURL, c.DatabaseURL},
		"issuer":      {c.Access.Issuer, "http://localhost:8090"},
		"sendgrid":    {c.SendGrid.BaseURL, "https://api.sendgrid.com"},
		"twilio":      {c.Twilio.BaseURL, "https://api.twilio.com"},
		"openai":      {c.OpenAI.BaseURL, "https://api.openai.com/v1"},
		"model":       {c.OpenAI.Model, "gpt-4.1-mini-2025-04-14"},
		"level":       {c.LogLevel, "debug"},
		"connections": {c.DatabaseMaxConns, 16},
		"tasks":       {c.WorkerConcurrency, 64},
		"shutdown":    {c.ShutdownTimeout, 25 * time.Second},
		"lease":       {c.Times.Lease, 90 * time.Second},
		"draft lease": {c.Times.DraftLease, 2 * time.Minute},
		"nudge":       {c.Times.NudgeTimeout, 300 * time.Millisecond},
		"fresh":       {c.SignFresh, 4 * time.Hour},
		"secret":      {c.SendGrid.APIKey.Reveal(), "SG.sandbox"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")}
	if !slices.Equal(c.TrustedProxies, want) {
		t.Errorf("trusted proxies are %v, want %v", c.TrustedProxies, want)
	}
}

// Everything that is missing is said at once, a sentence per line.
func TestLoadComplainsAboutEverythingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(from(nil))
	var complaints Complaints
	if !errors.As(err, &complaints) {
		t.Fatalf("error is %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range []string{"APP_ENV", "DATABASE_URL", "REDIS_URL", "KEYSET", "ACCESS_ISSUER", "ACCESS_AUD", "SENDGRID_API_KEY",
		"SENDGRID_WEBHOOK_KEY", "MAIL_FROM", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM", "OPENAI_API_KEY"} {
		if n := len(slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, name+" ") })); n != 1 {
			t.Errorf("%s is named on %d lines, want 1", name, n)
		}
	}
	if len(lines) != 13 || len(complaints) != 13 {
		t.Errorf("%d lines, want 13:\n%v", len(lines), err)
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, ".") {
			t.Errorf("not a sentence: %q", line)
		}
	}
}

func TestLoadStoreAsksOnlyForTheStore(t *testing.T) {
	t.Parallel()
	environ := local(t)
	maps.DeleteFunc(environ, func(name, _ string) bool {
		return !slices.Contains([]string{"APP_ENV", "DATABASE_URL", "REDIS_URL", "KEYSET"}, name)
	})
	if _, err := LoadStore(from(environ)); err != nil {
		t.Errorf("a store's environment is refused: %v", err)
	}
	if _, err := LoadStore(from(nil)); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("an empty environment gave %v", err)
	}
	environ["APP_ENV"], environ["DATABASE_URL"] = "production", "postgres://app@db.riverside-clinic.org/c?sslmode=disable"
	if _, err := LoadStore(from(environ)); err == nil || !strings.HasPrefix(err.Error(), "DATABASE_URL allows a plain-text") {
		t.Errorf("a plain-text database in production gave %v", err)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	environ := local(t)
	environ["OPENAI_API_KEY"] = ""
	environ["OPENAI_API_KEY_FILE"] = write("key", "sk-from-file\n")
	c, err := Load(from(environ))
	if err != nil || c.OpenAI.APIKey.Reveal() != "sk-from-file" {
		t.Fatalf("the file was not read: %v", err)
	}
	tests := map[string]struct{ value, path, want string }{
		"both":    {"sk-1", write("both", "sk-2"), "OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set"},
		"missing": {"", filepath.Join(dir, "none"), "OPENAI_API_KEY_FILE names a file that cannot be opened"},
		"empty":   {"", write("empty", " \n"), "OPENAI_API_KEY_FILE names an empty file"},
		"large":   {"", write("large", strings.Repeat("k", maxSecretFile+1)), "OPENAI_API_KEY_FILE names a file that cannot be read or is over 64 KiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := maps.Clone(environ)
			environ["OPENAI_API_KEY"], environ["OPENAI_API_KEY_FILE"] = tt.value, tt.path
			if _, err := Load(from(environ)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}

// The variables of the contract with operators: none goes missing, none is new
// without being written here.
func TestEveryVariable(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`APP_ENV HOST PORT WORKER_PORT BASE_URL DATABASE_URL MIGRATE_DATABASE_URL DATABASE_REPLICA_URL DATABASE_MAX_CONNS DATABASE_TLS REDIS_URL KEYSET KEYSET_KMS BLOB_URL LEDGER_KEY LEDGER_VERIFIERS BACKUP_URL BACKUP_RECIPIENTS PG_BIN ACCESS_ISSUER ACCESS_AUD
		OIDC_ISSUER OIDC_CLIENT_ID OIDC_CLIENT_SECRET SIGN_FRESH TRUSTED_PROXIES ADDRESS_HEADER COUNTRY_HEADER WAF SENDGRID_BASE_URL SENDGRID_API_KEY SENDGRID_WEBHOOK_KEY SENDGRID_ACTIVITY MAIL_FROM MAIL_FROM_NAME TWILIO_BASE_URL
		TWILIO_ACCOUNT_SID TWILIO_AUTH_TOKEN TWILIO_AUTH_TOKEN_PREVIOUS TWILIO_FROM OPENAI_BASE_URL OPENAI_API_KEY OPENAI_MODEL
		LIMIT_ADDRESS LIMIT_PERSON LIMIT_SIGN_IN LIMIT_UNVERIFIED ALERT_EMAIL ALERT_WEBHOOK_URL ALERT_WEBHOOK_SECRET ALERT_REPEAT ALERT_OFF HEARTBEAT_URL SENTRY_DSN SENTRY_TRACES METRICS_TOKEN PROBE_URL LOG_LEVEL WORKER_CONCURRENCY SHUTDOWN_TIMEOUT DRAIN_DELAY TIME_LEASE TIME_PROVIDER_TIMEOUT TIME_START_WINDOW TIME_REENQUEUE
		TIME_RELAY_EVERY TIME_NUDGE_TIMEOUT TIME_RECONCILE_EVERY TIME_LOOKUP_GRACE TIME_LOOKUP_AGAIN TIME_LOOKUP_UNTIL TIME_BREAKER_PAUSE
		TIME_FENCE_EVERY TIME_SEAL_EVERY TIME_ANCHOR_EVERY TIME_ALERT_EVERY TIME_FIGURES_EVERY TIME_REMIND_EVERY TIME_REMIND_FIRST
		TIME_REMIND_SECOND TIME_REMIND_URGENT TIME_CALL_AFTER TIME_CALL_URGENT TIME_DRAFT_LEASE`)
	var got []string
	fields := map[string]int{}
	eachSetting(reflect.ValueOf(Config{}), "", func(name string, field reflect.StructField, _ reflect.Value) {
		got = append(got, name)
		if field.Type.Kind() != reflect.String {
			fields[field.Name+field.Type.String()]++
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("variables are\n%v, want\n%v", got, want)
	}
	for field, n := range fields {
		if n > 1 {
			t.Errorf("%s stands twice, so a complaint could name the wrong variable", field)
		}
	}
}
