package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
)

// audited is a sealed clinic, what an auditor has of it, and its verifier.
func audited(t *testing.T) (*clinictest.World, *config.Config, string) {
	t.Helper()
	text, key, known := clinictest.LedgerKey(t)
	w := clinictest.New(t, clinictest.Sealing(key, known))
	cfg := &config.Config{Env: config.Local, DatabaseURL: config.Secret(w.URL), LedgerKey: config.Secret(text), BlobURL: "file://" + t.TempDir()}
	bucket, err := blob.Open(t.Context(), cfg.BlobURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() })
	anchor := (&App{bucket: bucket}).anchor()
	for range 2 { // the second time it is there already
		done, err := w.Clinic.LedgerSeal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := anchor(t.Context(), done.Head); err != nil {
			t.Fatal(err)
		}
	}
	return w, cfg, key.Verifier()
}

// An auditor with the verifier alone is told clean, tampered or not checked, and nothing between.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	w, cfg, verifier := audited(t)
	settings := *cfg
	settings.LedgerKey, settings.BlobURL = "", ""
	for name, want := range map[string]struct {
		Verifying
		says string
	}{
		"all that there is":   {Verifying{Keys: []string{verifier}, Anchors: cfg.BlobURL}, "under an anchor from outside"},
		"without anchors":     {Verifying{Keys: []string{verifier}}, "could not be seen"},
		"as JSON":             {Verifying{Keys: []string{verifier}, JSON: true}, `"findings":[]`},
		"without a key":       {Verifying{Anchors: cfg.BlobURL}, ""},
		"an empty folder":     {Verifying{Keys: []string{verifier}, Anchors: "file://" + t.TempDir()}, ""},
		"a key that is none":  {Verifying{Keys: []string{"x"}}, ""},
		"a bucket that is no": {Verifying{Keys: []string{verifier}, Anchors: "ftp://x"}, ""},
	} {
		var out bytes.Buffer
		err := VerifyLedger(t.Context(), &settings, want.Verifying, &out, io.Discard)
		if (err == nil) != (want.says != "") || errors.Is(err, ErrTampered) || !strings.Contains(out.String(), want.says) {
			t.Errorf("%s: %v, %s", name, err, out.String())
		}
	}
	away := settings
	away.DatabaseURL = "postgres://nobody@127.0.0.1:1/nothing"
	if err := VerifyLedger(t.Context(), &away, Verifying{Keys: []string{verifier}}, io.Discard, io.Discard); err == nil || errors.Is(err, ErrTampered) {
		t.Errorf("a database that is away: %v", err)
	}
	for _, sql := range []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL", "UPDATE audit_events SET role = 'ops' WHERE id = (SELECT event_id FROM ledger_leaves WHERE leaf = 3)"} {
		if err := w.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err := VerifyLedger(t.Context(), cfg, Verifying{JSON: true}, &out, io.Discard)
	var report clinic.LedgerReport
	if !errors.Is(err, ErrTampered) || json.Unmarshal(out.Bytes(), &report) != nil || len(report.Findings) != 1 || report.Findings[0].From != 3 {
		t.Errorf("tampered: %v, %s", err, out.String())
	}
}

// A proof needs no database, and fits its event and its key alone.
func TestAuditProof(t *testing.T) {
	t.Parallel()
	w, cfg, verifier := audited(t)
	event := uuid.MustParse(w.Strings(t, "SELECT event_id::text FROM ledger_leaves WHERE leaf = 2")[0])
	var file, out bytes.Buffer
	if err := ProveEvent(t.Context(), cfg, event, nil, &file); err != nil {
		t.Fatal(err)
	}
	if err := CheckProof(file.Bytes(), []string{verifier}, &out); err != nil || !strings.Contains(out.String(), event.String()) {
		t.Errorf("%v, %s", err, out.String())
	}
	var forged map[string]any
	if err := json.Unmarshal(file.Bytes(), &forged); err != nil {
		t.Fatal(err)
	}
	forged["leaf"] = 1
	other, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckProof(other, []string{verifier}, io.Discard); !errors.Is(err, ErrTampered) {
		t.Errorf("another leaf: %v", err)
	}
	if err := CheckProof([]byte("{}"), []string{verifier}, io.Discard); err == nil || errors.Is(err, ErrTampered) {
		t.Errorf("no proof: %v", err)
	}
	if err := ProveEvent(t.Context(), cfg, uuid.New(), nil, io.Discard); err == nil {
		t.Error("an event that is not there was proved")
	}
}
