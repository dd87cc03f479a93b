package app

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/seal"
)

// keyed is a clinic with one patient and one signed message, and the settings of whoever turns its keys.
func keyed(t *testing.T) (*clinictest.World, *config.Config) {
	w := clinictest.New(t, func(c *clinic.Config) { c.Now = time.Now })
	w.Approved(t, w.Patient, "email")
	return w, &config.Config{Env: config.Local, BaseURL: "http://localhost:8080", DatabaseURL: config.Secret(w.URL), Keyset: config.Secret(w.Keyset)}
}

// change makes the next KEYSET and puts it into the settings, as an operator does.
func change(t *testing.T, cfg *config.Config, step KeysetChange) *config.Config {
	t.Helper()
	var out bytes.Buffer
	if err := ChangeKeyset(t.Context(), cfg, step, &out, io.Discard); err != nil {
		t.Fatalf("%s: %v", step, err)
	}
	next := *cfg
	next.Keyset = config.Secret(strings.TrimSpace(out.String()))
	return &next
}

// reads says whether a process with these settings is ready and can open the patient's page.
func reads(t *testing.T, w *clinictest.World, cfg *config.Config) error {
	t.Helper()
	c, err := openStore(t.Context(), cfg, clinic.Times{})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.PatientShow(t.Context(), w.Staff, w.Patient)
	return errors.Join(err, c.Ready(t.Context()))
}

func status(t *testing.T, cfg *config.Config) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := KeysStatus(t.Context(), cfg, &out)
	return out.String(), err
}

// The whole road of a rotation. After each step processes of the step before it and of the step itself read everything.
func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	w, first := keyed(t)
	added := change(t, first, KeysetAdd)
	promoted := change(t, added, KeysetPromote)
	for name, cfg := range map[string]*config.Config{"first": first, "added": added, "promoted": promoted} {
		if err := reads(t, w, cfg); err != nil {
			t.Errorf("%s, before the keys are wrapped anew: %v", name, err)
		}
	}
	if err := ChangeKeyset(t.Context(), promoted, KeysetDrop, io.Discard, io.Discard); err == nil {
		t.Error("a key was dropped that a patient still needs")
	}
	var said bytes.Buffer
	for range 2 { // the second time there is nothing to do
		if err := RotateKeys(t.Context(), promoted, false, &said); err != nil {
			t.Fatal(err)
		}
	}
	if said.String() != "1 patients: 1 keys wrapped anew, 0 as they should be, 0 cannot be opened\n1 patients: 0 keys wrapped anew, 1 as they should be, 0 cannot be opened\n" {
		t.Errorf("it says %q", said.String())
	}
	dropped := change(t, promoted, KeysetDrop)
	for name, cfg := range map[string]*config.Config{"added": added, "promoted": promoted, "dropped": dropped} {
		if err := reads(t, w, cfg); err != nil {
			t.Errorf("%s, after the keys were wrapped anew: %v", name, err)
		}
	}
	if text, err := status(t, dropped); err != nil || strings.Count(text, "\n") != 2 || !strings.Contains(text, "wraps        1\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if n := w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'keys.rotate' AND actor_kind = 'operator' AND (detail->>'wrapped')::int = 1"); n != 1 {
		t.Errorf("%d events of the rotation", n)
	}
}

// A keyset without the key that a patient needs: the process is not ready, the page says what is wrong, the tool says
// which key is missing, nothing is changed, and with the right keyset everything is there.
func TestALostKeyIsSaid(t *testing.T) {
	t.Parallel()
	w, cfg := keyed(t)
	text, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	stranger := *cfg
	stranger.Keyset = config.Secret(text)
	c, err := openStore(t.Context(), &stranger, clinic.Times{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ready(t.Context()); clinic.Code(err) != "keyset" || clinic.KindOf(err) != clinic.Unavailable {
		t.Errorf("ready: %v", err)
	}
	var shown *clinic.Error
	_, err = c.PatientShow(t.Context(), w.Staff, w.Patient)
	if !errors.As(err, &shown) || shown.Kind != clinic.Unavailable || shown.Code != "key_lost" || !strings.Contains(shown.Sentence, "Nothing is lost") {
		t.Errorf("the page: %v", err)
	}
	said, err := status(t, &stranger)
	if !errors.Is(err, ErrKeysLost) || !strings.Contains(said, "MISSING      1\n") {
		t.Errorf("%v\n%s", err, said)
	}
	before := w.Strings(t, "SELECT encode(wrapped, 'hex') FROM patient_keys")
	var out bytes.Buffer
	if err := RotateKeys(t.Context(), &stranger, false, &out); !errors.Is(err, ErrKeysLost) || !strings.Contains(out.String(), "1 cannot be opened") {
		t.Errorf("%v: %s", err, out.String())
	}
	if after := w.Strings(t, "SELECT encode(wrapped, 'hex') FROM patient_keys"); after[0] != before[0] {
		t.Error("a key that could not be opened was written")
	}
	if err := reads(t, w, cfg); err != nil {
		t.Errorf("with the right keyset: %v", err)
	}
}

// A patient's new key seals what is written from then on; what was written before opens as ever.
func TestPatientsGetNewKeys(t *testing.T) {
	t.Parallel()
	w, cfg := keyed(t)
	old := w.Strings(t, "SELECT encode(wrapped, 'hex') FROM patient_keys")[0]
	if err := RotateKeys(t.Context(), cfg, true, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := reads(t, w, cfg); err != nil {
		t.Errorf("what was written before: %v", err)
	}
	message := w.Approved(t, w.Patient, "sms")
	if _, err := w.Clinic.MessageShow(t.Context(), w.Doctor, message); err != nil {
		t.Errorf("what was written afterwards: %v", err)
	}
	if err := w.Exec(t, "UPDATE patient_keys SET wrapped = decode($1, 'hex')", old); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Clinic.MessageShow(t.Context(), w.Doctor, message); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("the patient's first key alone opens what was written afterwards: %v", err)
	}
}

// A keyset that was made for trying out is refused where real people's data is, also when a key service hides the mark.
func TestLocalKeysetIsRefused(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"", "base64key://a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="} {
		for _, local := range []bool{true, false} {
			var out bytes.Buffer
			if err := NewKeyset(t.Context(), service, local, &out); err != nil {
				t.Fatal(err)
			}
			for env, refused := range map[config.Env]bool{config.Local: false, config.Production: local, config.Staging: local} {
				_, err := openKeyring(t.Context(), &config.Config{Env: env, Keyset: config.Secret(strings.TrimSpace(out.String())), KeysetKMS: service})
				if (err != nil) != refused {
					t.Errorf("%q, local %t, in %s: %v", service, local, env, err)
				}
			}
		}
	}
}
