package kms_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"countersign/internal/app"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/kms"
)

// A KEYSET that lay in the clear goes under a key service, and from there under another key of it: the same keys, which open every
// patient; the printed one alone opens nothing, and the old one goes on opening until every process has the new one.
func TestKeysetMovesUnderAKeyService(t *testing.T) {
	w := clinictest.New(t, func(c *clinic.Config) { c.Now = time.Now })
	w.Approved(t, w.Patient, "email")
	plain := &config.Config{Env: config.Local, DatabaseURL: config.Secret(w.URL), Keyset: config.Secret(w.Keyset)}
	before := status(t, plain)
	service := kms.Service(t)
	moved := move(t, plain, service)
	if strings.Contains(moved.Keyset.Reveal(), w.Keyset) {
		t.Error("the keyset is printed in the clear")
	}
	again := move(t, moved, "base64key://a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
	for name, cfg := range map[string]*config.Config{"in the clear": plain, "under the service": moved, "under another": again} {
		if got := status(t, cfg); got != before {
			t.Errorf("%s: %s, want %s", name, got, before)
		}
		var said bytes.Buffer
		if err := app.RotateKeys(t.Context(), cfg, false, &said); err != nil || !strings.Contains(said.String(), "0 keys wrapped anew, 1 as they should be, 0 cannot be opened") {
			t.Errorf("%s: %v %s", name, err, said.String())
		}
	}
	alone := *moved
	alone.KeysetKMS = ""
	if err := app.KeysStatus(t.Context(), &alone, io.Discard); err == nil {
		t.Error("what was printed opens without the service")
	}
}

func status(t *testing.T, cfg *config.Config) string {
	t.Helper()
	var out bytes.Buffer
	if err := app.KeysStatus(t.Context(), cfg, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// move is what an operator does: what is printed and the address become the settings.
func move(t *testing.T, cfg *config.Config, service string) *config.Config {
	t.Helper()
	var out bytes.Buffer
	if err := app.MoveKeyset(t.Context(), cfg, service, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	next := *cfg
	next.Keyset, next.KeysetKMS = config.Secret(strings.TrimSpace(out.String())), service
	return &next
}

// Nothing is printed that could not be opened afterwards, or that production would not take.
func TestKeysetIsNotMovedIntoTheVoid(t *testing.T) {
	w := clinictest.New(t)
	service := kms.Service(t)
	cfg := config.Config{Env: config.Local, Keyset: config.Secret(w.Keyset)}
	production, wrong := cfg, cfg
	production.Env, wrong.Keyset = config.Production, "bm90IGEga2V5c2V0"
	for name, c := range map[string]struct {
		cfg     config.Config
		service string
		says    string
	}{
		"a service that only encrypts":   {cfg, strings.Replace(service, "alias/countersign", "alias/write-only", 1), "does not give back"},
		"a service that is away":         {cfg, "awskms:///k?region=us-west-2&endpoint=http://127.0.0.1:1&rate_limiter_capacity=1", "cannot be reached"},
		"no service":                     {cfg, "", "awskms://"},
		"a key in the address":           {production, "base64key://a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", "in the address"},
		"a service near by, without TLS": {production, service, "not https"},
		"no keyset":                      {wrong, service, "KEYSET cannot be opened"},
	} {
		var out, said bytes.Buffer
		err := app.MoveKeyset(t.Context(), &c.cfg, c.service, &out, &said)
		if err == nil || !strings.Contains(err.Error(), c.says) || out.Len() > 0 || said.Len() > 0 {
			t.Errorf("%s: %v, printed %q", name, err, out.String())
		}
	}
}
