package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// fault breaks one variable of an environment that loads.
type fault struct {
	start func(*testing.T) map[string]string
	name  string
	value string
	says  string
}

// refuse wants exactly that variable to be complained about, once.
func refuse(t *testing.T, faults map[string]fault) {
	t.Helper()
	for name, tt := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := tt.start(t)
			environ[tt.name] = tt.value
			_, err := Load(from(environ))
			if err == nil {
				t.Fatal("it loads")
			}
			if got := err.Error(); !strings.HasPrefix(got, tt.name+" ") || !strings.Contains(got, tt.says) || strings.Contains(got, "\n") {
				t.Errorf("it says %q, want one line about %s with %q", got, tt.name, tt.says)
			}
			if strings.Contains(err.Error(), "pw-local-1") {
				t.Error("the complaint tells a password")
			}
		})
	}
}

// staging is held to what production is held to.
func staging(t *testing.T) map[string]string {
	environ := production(t)
	environ["APP_ENV"] = "staging"
	return environ
}

func TestLoadRefusesEachFault(t *testing.T) {
	t.Parallel()
	refuse(t, map[string]fault{
		"no audience, local":       {local, "ACCESS_AUD", "", "audience"},
		"no audience, production":  {production, "ACCESS_AUD", "", "audience"},
		"unknown stage":            {local, "APP_ENV", "prod", "local, dev, staging or production"},
		"port not a number":        {local, "PORT", "eighty", "a whole number"},
		"port out of range":        {local, "PORT", "70000", "between 1 and 65535"},
		"no connections":           {local, "DATABASE_MAX_CONNS", "1", "between 2 and 1000"},
		"no tasks":                 {local, "WORKER_CONCURRENCY", "0", "between 1 and 256"},
		"too many tasks":           {local, "WORKER_CONCURRENCY", "257", "between 1 and 256"},
		"shutdown not a time":      {local, "SHUTDOWN_TIMEOUT", "25", "a length of time"},
		"shutdown too short":       {local, "SHUTDOWN_TIMEOUT", "10ms", "between 1s and 10m"},
		"serving on for ever":      {local, "DRAIN_DELAY", "25001ms", "no longer than SHUTDOWN_TIMEOUT"},
		"no time to notice":        {local, "DRAIN_DELAY", "0s", "longer than nothing"},
		"bad network":              {local, "TRUSTED_PROXIES", "10.0.0.0/8,edge", "a list of networks"},
		"everybody a proxy":        {production, "TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "names every address"},
		"everybody a proxy, IPv6":  {staging, "TRUSTED_PROXIES", "::/0", "names every address"},
		"address header alone":     {local, "ADDRESS_HEADER", "CF-Connecting-IP", "TRUSTED_PROXIES alone"},
		"country header, two":      {local, "COUNTRY_HEADER", "CF-IPCountry, X-Country", "the name of a header"},
		"a filter that is on":      {local, "WAF", "on", "off, detect or block"},
		"a filter that shouts":     {production, "WAF", "Block", "off, detect or block"},
		"no limit":                 {local, "LIMIT_PERSON", "0", "1 or more"},
		"a limit that limits not":  {production, "LIMIT_ADDRESS", "1001", "at most 1000"},
		"bad level":                {local, "LOG_LEVEL", "loud", "debug, info, notice, warn or error"},
		"bad database":             {local, "DATABASE_URL", "postgres://a:pw-local-1@h:x/db", "understands"},
		"bad queue address":        {local, "REDIS_URL", "localhost:6379", "redis://"},
		"a key service's keyset":   {local, "KEYSET_KMS", "vault://countersign", "awskms://"},
		"a key in the address":     {production, "KEYSET_KMS", "base64key://a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", "in the address"},
		"a key service near":       {production, "KEYSET_KMS", "awskms:///k?endpoint=https://10.0.0.4", "on this machine or its network"},
		"a plain key service":      {production, "KEYSET_KMS", "awskms:///k?endpoint=http://kms.riverside.test", "not https"},
		"a keyset for trying out":  {production, "KEYSET", "eyJ3cmFwIjp7fSwiaW5kZXgiOnt9LCJsb2NhbCI6dHJ1ZX0=", "trying out"},
		"keyset not base64":        {local, "KEYSET", "{}", "base64"},
		"no bucket":                {production, "BLOB_URL", "", "must name a bucket"},
		"a folder, production":     {production, "BLOB_URL", "file:///var/lib/countersign", "production refuses"},
		"a folder, staging":        {staging, "BLOB_URL", "file:///var/lib/countersign", "staging refuses"},
		"a bucket over http":       {production, "BLOB_URL", "s3://b?disable_https=true", "production refuses"},
		"a bucket near by":         {production, "BLOB_URL", "s3://b?endpoint=https://localhost:9000", "production refuses"},
		"a bucket elsewhere":       {production, "BLOB_URL", "gs://b", "must begin with s3://"},
		"a bucket with a key":      {local, "BLOB_URL", "s3://me:pw-local-1@b", "no credentials"},
		"a bucket without a name":  {local, "BLOB_URL", "s3://", "must name its bucket"},
		"half a folder":            {local, "BLOB_URL", "file://blob", "three slashes"},
		"a fence that never looks": {local, "TIME_FENCE_EVERY", "0s", "longer than nothing"},
		"issuer with a path":       {local, "ACCESS_ISSUER", "http://localhost:8090/team", "must not have a path"},
		"issuer without a scheme":  {local, "ACCESS_ISSUER", "riverside.cloudflareaccess.com", "must be an address"},
		"base with a query":        {local, "BASE_URL", "http://localhost:8080?x=1", "a query"},
		"base with a user":         {local, "BASE_URL", "http://me:pw@localhost:8080", "a user name"},
		"webhook key not a key":    {local, "SENDGRID_WEBHOOK_KEY", "bm90IGEga2V5", "ECDSA"},
		"sender not an address":    {local, "MAIL_FROM", "Riverside <a@b.example>", "an e-mail address"},
		"text sender not a number": {local, "TWILIO_FROM", "Riverside", "a number"},
		"account of another kind":  {local, "TWILIO_ACCOUNT_SID", "SK123", "AC and 32"},
		"no model key":             {local, "OPENAI_API_KEY", "", "must be set"},
		"bad DSN":                  {local, "SENTRY_DSN", "https://sentry.io/1", "a key and a project"},
		"a replica of nothing":     {local, "DATABASE_REPLICA_URL", "postgres://%zz", "not an address"},
		"a replica that is none":   {local, "DATABASE_REPLICA_URL", "postgres://app:pw-local-1@127.0.0.1:5433/countersign?sslmode=disable", "leave it empty"},
		"reminders in order":       {local, "TIME_REMIND_SECOND", "24h", "longer than TIME_REMIND_FIRST"},
		"lease too short":          {local, "TIME_LEASE", "35s", "longer than TIME_START_WINDOW"},
		"no relay":                 {local, "TIME_RELAY_EVERY", "0s", "longer than nothing"},
	})
}

func TestProductionRefusesEachFault(t *testing.T) {
	t.Parallel()
	refuse(t, map[string]fault{
		"plain database":                 {production, "DATABASE_URL", "postgres://a:b@db.riverside-clinic.org/c?sslmode=disable", "plain-text"},
		"plain database as a fallback":   {production, "DATABASE_URL", "postgres://a:b@db.riverside-clinic.org/c?sslmode=prefer", "plain-text"},
		"plain database unsaid":          {production, "DATABASE_URL", "host=db.riverside-clinic.org user=a dbname=c", "plain-text"},
		"plain database, the other host": {production, "DATABASE_URL", "postgres://a:b@localhost,db.riverside-clinic.org/c?sslmode=disable", "plain-text"},
		"plain database near by":         {production, "DATABASE_URL", "postgres://a:b@10.0.0.4/c?sslmode=disable", "plain-text"},
		"a certificate nobody looks at":  {production, "DATABASE_URL", "postgres://a:b@db.riverside-clinic.org/c?sslmode=require", "certificate"},
		"the same, near by":              {staging, "DATABASE_URL", "postgres://a:b@10.0.0.4/c?sslmode=require", "certificate"},
		"the same, of the owner":         {production, "MIGRATE_DATABASE_URL", "postgres://o:b@db.riverside-clinic.org/c?sslmode=require", "certificate"},
		"a replica without TLS":          {production, "DATABASE_REPLICA_URL", "postgres://a:b@replica.riverside-clinic.org/c?sslmode=disable", "plain-text"},
		"a replica nobody looks at":      {staging, "DATABASE_REPLICA_URL", "postgres://a:b@10.0.0.5/c?sslmode=require", "certificate"},
		"certificates, but which":        {production, "DATABASE_TLS", "yes", "verified or encrypted"},
		"plain Redis":                    {production, "REDIS_URL", "redis://:pw@cache.riverside-clinic.org:6379", "plain text"},
		"plain Redis, a public address":  {staging, "REDIS_URL", "redis://:pw@203.0.113.4:6379", "plain text"},
		"plain owner's database":         {production, "MIGRATE_DATABASE_URL", "postgres://o:b@db.riverside-clinic.org/c?sslmode=allow", "plain-text"},
		"http base":                      {production, "BASE_URL", "http://countersign.riverside-clinic.org", "https://"},
		"base left to its default":       {production, "BASE_URL", "", "https://"},
		"sandbox issuer":                 {production, "ACCESS_ISSUER", "http://localhost:8090", "https://"},
		"sandbox issuer with https":      {production, "ACCESS_ISSUER", "https://localhost:8090", "points at this machine"},
		"issuer elsewhere":               {production, "ACCESS_ISSUER", "https://login.riverside-clinic.org", ".cloudflareaccess.com"},
		"issuer that looks alike":        {production, "ACCESS_ISSUER", "https://evilcloudflareaccess.com", ".cloudflareaccess.com"},
		"sandbox mail":                   {production, "SENDGRID_BASE_URL", "http://localhost:8090", "https://"},
		"sandbox mail with https":        {production, "SENDGRID_BASE_URL", "https://127.0.0.1:8090", "points at this machine"},
		"sandbox text, short loopback":   {production, "TWILIO_BASE_URL", "https://127.1", "points at this machine"},
		"sandbox text, IPv6":             {production, "TWILIO_BASE_URL", "https://[::1]:8090", "points at this machine"},
		"sandbox text, mapped":           {production, "TWILIO_BASE_URL", "https://[::ffff:127.0.0.1]", "points at this machine"},
		"sandbox model by name":          {production, "OPENAI_BASE_URL", "https://sandbox:8090/v1", "points at this machine"},
		"sandbox model, private":         {production, "OPENAI_BASE_URL", "https://10.2.3.4/v1", "points at this machine"},
		"sandbox model, dot at end":      {production, "OPENAI_BASE_URL", "https://localhost./v1", "points at this machine"},
		"sandbox key":                    {production, "SENDGRID_API_KEY", "SG.sandbox-key", "a sample value"},
		"example token":                  {production, "TWILIO_AUTH_TOKEN", "ChangeMe", "a sample value"},
		"made-up sender":                 {production, "MAIL_FROM", "messages@riverside.example", "made-up"},
		"sandbox Sentry":                 {production, "SENTRY_DSN", "http://abc@localhost:8090/1", "outside this network"},
		"no ledger key":                  {production, "LEDGER_KEY", "", "countersign audit key"},
		"a ledger key for trying out":    {production, "LEDGER_KEY", "PRIVATE+KEY+local-countersign-abcd2345+0a0b0c0d+AQxx", "trying out"},
		"a ledger key that is none":      {production, "LEDGER_KEY", "countersign", "as «countersign audit key» prints it"},
		"short metrics token":            {production, "METRICS_TOKEN", "short", "16 characters"},
	})
}

// What production takes: TLS that looks at the certificate, whatever stays on this machine, plain Redis on a private network, and
// TLS with whomever answers where somebody says that they know. That opens no way to plain text.
func TestProductionTakesSafeServers(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"postgres://a:b@db.riverside-clinic.org/c?sslmode=verify-full", "postgres://a:b@db.riverside-clinic.org/c?sslmode=verify-ca",
		"postgres://a:b@localhost/c?sslmode=disable", "postgres://a:b@127.0.0.1/c", "postgres://a:b@[::1]/c?sslmode=prefer", "host=/run/postgresql user=a dbname=c",
		"postgres://a:b@localhost,db.riverside-clinic.org/c?sslmode=verify-full"} {
		environ := production(t)
		environ["DATABASE_URL"] = address
		if _, err := Load(from(environ)); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"redis://10.0.0.4:6379", "redis://redis:6379", "redis://cache.internal:6379", "redis://127.0.0.1:6379", "unix:///run/redis.sock", "rediss://cache.riverside-clinic.org:6380"} {
		environ := production(t)
		environ["REDIS_URL"] = address
		if _, err := Load(from(environ)); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	environ := production(t)
	environ["DATABASE_TLS"] = "encrypted"
	for mode, want := range map[string]bool{"require": true, "verify-full": true, "prefer": false, "allow": false, "disable": false} {
		environ["DATABASE_URL"] = "postgres://a:b@db.riverside-clinic.org/c?sslmode=" + mode
		if _, err := Load(from(environ)); (err == nil) != want {
			t.Errorf("encrypted, and sslmode=%s: %v", mode, err)
		}
	}
}

func TestStagingRefusesLikeProduction(t *testing.T) {
	t.Parallel()
	environ := local(t)
	environ["APP_ENV"], environ["DATABASE_URL"] = "staging", "postgres://app@db.riverside-clinic.org/c?sslmode=disable"
	_, err := Load(from(environ))
	if err == nil {
		t.Fatal("staging accepts the sandbox")
	}
	for _, name := range []string{"DATABASE_URL", "BASE_URL", "ACCESS_ISSUER", "SENDGRID_BASE_URL", "SENDGRID_API_KEY", "TWILIO_BASE_URL",
		"TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "OPENAI_BASE_URL", "OPENAI_API_KEY", "MAIL_FROM", "SENTRY_DSN"} {
		if !strings.Contains("\n"+err.Error(), "\n"+name+" ") {
			t.Errorf("%s is not complained about", name)
		}
	}
}

func TestASocketFileIsNotPlainText(t *testing.T) {
	t.Parallel()
	environ := production(t)
	environ["DATABASE_URL"] = "host=/run/postgresql user=app dbname=countersign"
	if _, err := Load(from(environ)); err != nil {
		t.Error(err)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	t.Parallel()
	environ := production(t)
	c, err := Load(from(environ))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{c, *c, c.SendGrid, &c.Twilio, c.Keyset, []Secret{c.Keyset}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("starting", "config", c, "value", *c, "part", c.OpenAI, "keyset", c.Keyset)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(asJSON)
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "KEYSET", "LEDGER_KEY", "SENDGRID_API_KEY", "TWILIO_AUTH_TOKEN", "OPENAI_API_KEY", "SENTRY_DSN", "METRICS_TOKEN"} {
		secret := environ[name]
		for _, shape := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%q", secret)} {
			if strings.Contains(out.String(), shape) {
				t.Errorf("%s prints", name)
			}
		}
	}
	for _, want := range []string{"DATABASE_URL=[redacted]\n", "TWILIO_AUTH_TOKEN_PREVIOUS=\n", "TIME_LEASE=1m30s\n", "BASE_URL=https://countersign.riverside-clinic.org\n", `"APP_ENV":"production"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the print does not have %q", want)
		}
	}
	if Secret("").String() != "" {
		t.Error("an empty secret looks like a set one")
	}
}
