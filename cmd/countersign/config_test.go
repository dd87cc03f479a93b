package main

import (
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"countersign/internal/config"
)

// said is what the tool writes while do runs.
func said(t *testing.T, to **os.File, do func()) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	kept := *to
	*to = write
	do()
	*to = kept
	_ = write.Close()
	text, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// only leaves these settings in the environment, and no other of ours.
func only(t *testing.T, settings map[string]string) {
	t.Helper()
	var clear func(reflect.Type, string)
	clear = func(of reflect.Type, prefix string) {
		for i := range of.NumField() {
			field := of.Field(i)
			if group, ok := field.Tag.Lookup("envPrefix"); ok {
				clear(field.Type, prefix+group)
				continue
			}
			t.Setenv(prefix+field.Tag.Get("env"), "")
			t.Setenv(prefix+field.Tag.Get("env")+"_FILE", "")
		}
	}
	clear(reflect.TypeFor[config.Config](), "")
	for name, value := range settings {
		t.Setenv(name, value)
	}
}

// Every complaint at once, a line each, and code 2.
func TestConfigCheckSaysEverythingAtOnce(t *testing.T) {
	only(t, map[string]string{"APP_ENV": "production", "DATABASE_URL": "postgres://app:pw-1@db.riverside-clinic.org/c?sslmode=disable", "LOG_LEVEL": "loud"})
	code := 0
	lines := strings.Split(strings.TrimSpace(said(t, &os.Stderr, func() { code = run([]string{"config", "check"}) })), "\n")
	if code != 2 || len(lines) < 14 {
		t.Errorf("code %d and %d lines: %q", code, len(lines), lines)
	}
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "KEYSET", "BASE_URL", "ACCESS_AUD", "SENDGRID_API_KEY", "TWILIO_AUTH_TOKEN", "OPENAI_API_KEY", "LOG_LEVEL", "BLOB_URL", "LEDGER_KEY"} {
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, name+" ") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d complaints about %s, want one", n, name)
		}
	}
	if strings.Contains(strings.Join(lines, "\n"), "pw-1") {
		t.Error("a complaint tells a password")
	}
}

// What is right is printed without its secrets.
func TestConfigCheckPrintsNoSecret(t *testing.T) {
	only(t, map[string]string{"APP_ENV": "dev", "DATABASE_URL": "postgres://app:pw-1@db/c", "REDIS_URL": "redis://:pw-2@redis:6379/0", "KEYSET": "eyJ3cmFwIjp7fSwiaW5kZXgiOnt9fQ==",
		"BASE_URL": "https://countersign.clinic-dev.internal", "OIDC_ISSUER": "https://id.riverside-clinic.org", "OIDC_CLIENT_ID": "countersign", "OIDC_CLIENT_SECRET": "pw-3",
		"SENDGRID_API_KEY": "pw-4", "SENDGRID_WEBHOOK_KEY": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
		"MAIL_FROM": "a@riverside.example", "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "pw-5", "TWILIO_FROM": "+15550100123", "OPENAI_API_KEY": "pw-6"})
	code := 0
	out := said(t, &os.Stdout, func() { code = run([]string{"config", "check"}) })
	if code != 0 || !strings.Contains(out, "APP_ENV=dev\n") || !strings.Contains(out, "LOG_LEVEL=debug\n") || !strings.Contains(out, "DATABASE_URL=[redacted]\n") || strings.Contains(out, "pw-") {
		t.Errorf("code %d: %s", code, out)
	}
}

// What is wrong with an argument is code 2, whatever command it is of, and before anything is opened.
func TestWrongArgumentsAreCode2(t *testing.T) {
	only(t, nil)
	for _, args := range [][]string{{"network", "unblock", "x"}, {"audit", "prove", "x"}, {"audit", "archive", "--before", "2026-13"}, {"backup", "create", "--keep", "-1"},
		{"backup", "restore", "--into", "postgres://a:secret@db/c"}, {"reconcile", "--since", "yesterday"}, {"user", "add", "x", "king", "--name", "A", "--email", "a@b.example"}, {"nonsense"}} {
		code := 0
		text := said(t, &os.Stderr, func() { code = run(args) })
		if code != 2 || strings.Contains(text, "DATABASE_URL must") || strings.Contains(text, "secret") {
			t.Errorf("%q: code %d: %s", args, code, text)
		}
	}
}
