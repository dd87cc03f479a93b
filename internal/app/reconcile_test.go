package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
)

// stoppedClinic is a clinic and the settings of an operator who reconciles it. Twilio is asked at listed, and knows nothing.
func stoppedClinic(t *testing.T, listed func(*clinictest.World)) (*clinictest.World, *config.Config) {
	t.Helper()
	w := clinictest.New(t, func(c *clinic.Config) { c.Now = time.Now })
	provider := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		listed(w)
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"messages":[]}`))
	}))
	t.Cleanup(provider.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Env: config.Local, BaseURL: "http://localhost:8080", DatabaseURL: config.Secret(w.URL), Keyset: config.Secret(w.Keyset),
		BlobURL:  "file://" + filepath.Join(t.TempDir(), "blob"),
		SendGrid: config.SendGrid{BaseURL: provider.URL, APIKey: "SG.sandbox", WebhookKey: base64.StdEncoding.EncodeToString(der)},
		Mail:     config.Mail{From: "messages@riverside.example"},
		Twilio:   config.Twilio{BaseURL: provider.URL, AccountSID: "ACsandbox", AuthToken: "0123456789abcdef0123456789abcdef", From: "+15550100123"},
		Times: config.Times{Lease: 90 * time.Second, ProviderTimeout: 20 * time.Second, StartWindow: 15 * time.Second, Reenqueue: time.Minute,
			LookupGrace: 15 * time.Minute, DraftLease: 2 * time.Minute}}
	return w, cfg
}

func stop(t *testing.T, w *clinictest.World) {
	t.Helper()
	i, err := w.Clinic.InstanceSee(context.Background())
	if err == nil {
		_, _, err = w.Clinic.InstanceBeat(context.Background(), i, 0, true)
	}
	if err == nil {
		i, err = w.Clinic.InstanceSee(context.Background())
	}
	if err == nil {
		err = w.Clinic.InstanceHold(context.Background(), clinic.WorkerActor("fence"), i, clinic.HeldBehind, 40)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, w *clinictest.World, message uuid.UUID) string {
	t.Helper()
	return w.Strings(t, "SELECT state FROM deliveries WHERE message_id = $1", message)[0]
}

// What comes due while the providers are being asked may have been sent, too: it is doubted before the stop is lifted.
func TestReconcileWhileTimePasses(t *testing.T) {
	t.Parallel()
	var later uuid.UUID
	w, cfg := stoppedClinic(t, func(w *clinictest.World) {
		if err := w.Exec(t, "UPDATE deliveries SET next_attempt_at = now() WHERE message_id = $1 AND state = 'queued'", later); err != nil {
			t.Error(err)
		}
	})
	now := w.Approved(t, w.Patient, "sms")
	w.UndoWindow(t, 120)
	later = w.Approved(t, w.Patient, "email")
	stop(t, w)
	var out strings.Builder
	if err := Reconcile(context.Background(), cfg, Reconciling{}, &out); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if state(t, w, now) != "unknown" || state(t, w, later) != "unknown" {
		t.Errorf("one is %s, the other %s: %s", state(t, w, now), state(t, w, later), out.String())
	}
	if i, err := w.Clinic.InstanceSee(context.Background()); err != nil || i.HeldAt != nil || i.Generation != 41 || !strings.Contains(out.String(), "generation 41 on") {
		t.Errorf("%+v, %v: %s", i, err, out.String())
	}
}

// Moments that cannot be meant, and a stop that is not there, change nothing.
func TestReconcileRefuses(t *testing.T) {
	t.Parallel()
	w, cfg := stoppedClinic(t, func(*clinictest.World) {})
	id := w.Approved(t, w.Patient, "sms")
	refuses := func(what string, want Reconciling, held bool, is func(error) bool) {
		t.Helper()
		var out strings.Builder
		err := Reconcile(context.Background(), cfg, want, &out)
		if !is(err) || state(t, w, id) != "queued" {
			t.Errorf("%s: %v, and the delivery is %s", what, err, state(t, w, id))
		}
		if i, err := w.Clinic.InstanceSee(context.Background()); err != nil || (i.HeldAt != nil) != held {
			t.Errorf("%s: stopped at %v, %v", what, i.HeldAt, err)
		}
	}
	wrong := func(err error) bool { return errors.As(err, new(WrongSince)) }
	well := func(err error) bool { return err == nil }
	refuses("nothing to lift", Reconciling{}, false, func(err error) bool { return errors.Is(err, ErrNotHeld) })
	refuses("by force, since nobody knows when", Reconciling{Force: true}, false, wrong)
	refuses("by force, only looking", Reconciling{Force: true, DryRun: true, Since: time.Now().Add(-time.Hour)}, false, well)
	stop(t, w)
	refuses("only looking", Reconciling{DryRun: true}, true, well)
	refuses("in the future", Reconciling{Since: time.Now().Add(time.Hour), Force: true}, true, wrong)
	refuses("later than the database knows", Reconciling{Since: time.Now()}, true, wrong)
	refuses("by force, and nothing was lost", Reconciling{Since: time.Now(), Force: true}, false, well)
}

// By hand, with nothing stopped before: what may have been sent is doubted all the same.
func TestReconcileByForce(t *testing.T) {
	t.Parallel()
	w, cfg := stoppedClinic(t, func(*clinictest.World) {})
	id := w.Approved(t, w.Patient, "sms")
	var out strings.Builder
	if err := Reconcile(context.Background(), cfg, Reconciling{Since: time.Now().Add(-time.Hour), Force: true}, &out); err != nil {
		t.Fatal(err)
	}
	if state(t, w, id) != "unknown" || w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'instance.hold' AND actor_kind = 'operator' AND detail->>'reason' = 'by_hand'") != 1 {
		t.Errorf("it is %s: %s", state(t, w, id), out.String())
	}
}
