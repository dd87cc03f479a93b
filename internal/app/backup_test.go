package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/backup"
	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/seal"
)

// saved is a sealed clinic with a signed message, the settings of whoever backs it up, and the file with the backup key.
func saved(t *testing.T) (w *clinictest.World, cfg *config.Config, identity string) {
	t.Helper()
	w, cfg, _ = audited(t)
	w.Approved(t, w.Patient, "email")
	key, recipient, err := backup.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	identity = filepath.Join(t.TempDir(), "backup-key")
	if err := os.WriteFile(identity, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Keyset, cfg.MigrateDatabaseURL, cfg.BaseURL = config.Secret(w.Keyset), cfg.DatabaseURL, "http://localhost:8080"
	cfg.Backup.Recipients = recipient
	return w, cfg, identity
}

// backups does something with the settings' backups, and returns what was said.
func backups(t *testing.T, cfg *config.Config, do func(*Backups) error) (string, error) {
	t.Helper()
	var out bytes.Buffer
	b, err := OpenBackups(t.Context(), cfg, "", &out)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	err = do(b)
	return out.String(), err
}

func create(t *testing.T, cfg *config.Config) {
	t.Helper()
	if said, err := backups(t, cfg, func(b *Backups) error { return b.Create(t.Context(), 0) }); err != nil {
		t.Fatalf("create: %v\n%s", err, said)
	}
}

func verify(t *testing.T, cfg *config.Config, identity string) (string, error) {
	return backups(t, cfg, func(b *Backups) error { return b.Verify(t.Context(), "", identity) })
}

func restoreInto(t *testing.T, cfg *config.Config, want Restoring) (string, error) {
	return backups(t, cfg, func(b *Backups) error { return b.Restore(t.Context(), want) })
}

// sealAndAnchor is what a worker does each second, and each minute.
func sealAndAnchor(t *testing.T, w *clinictest.World, cfg *config.Config) {
	t.Helper()
	done, err := w.Clinic.LedgerSeal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.Open(t.Context(), cfg.BlobURL)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if err := (&App{bucket: bucket}).anchor()(t.Context(), done.Head); err != nil {
		t.Fatal(err)
	}
}

// wants fails for each text that is not said.
func wants(t *testing.T, said string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("it does not say %q:\n%s", text, said)
		}
	}
}

// The whole road: a backup, work that it does not know, a new database, the ledger, a stop, and the patient's page.
func TestBackupIsRestored(t *testing.T) {
	t.Parallel()
	w, cfg, identity := saved(t)
	sealAndAnchor(t, w, cfg)
	create(t, cfg)
	w.Clock.Add(time.Minute)
	w.Approved(t, w.Patient, "sms") // lost
	sealAndAnchor(t, w, cfg)
	said, err := verify(t, cfg, identity)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, said, "Your KEYSET holds them", "The archive is whole")
	trial, err := restoreInto(t, cfg, Restoring{Into: clinictest.Empty(t), Identity: identity, Trial: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, trial)
	}
	wants(t, trial, "It can be restored")
	into := clinictest.Empty(t)
	said, err = restoreInto(t, cfg, Restoring{Into: into, Identity: identity})
	t.Log("restore says:\n" + said)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, said, "ok: root", "Lost: the anchors outside know of", "with sending stopped", "countersign reconcile")
	restoredIsHeld(t, w, cfg, into)
	if _, err := restoreInto(t, cfg, Restoring{Into: into, Identity: identity}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over a database with something in it: %v", err)
	}
}

// restoredIsHeld looks at a restored database as its processes do.
func restoredIsHeld(t *testing.T, w *clinictest.World, cfg *config.Config, into string) {
	t.Helper()
	there := *cfg
	there.DatabaseURL = config.Secret(into)
	c, err := openStore(t.Context(), &there, clinic.Times{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Ready(t.Context()), reads(t, w, &there)); err != nil {
		t.Errorf("the restored database does not serve: %v", err)
	}
	i, err := c.InstanceSee(t.Context())
	if err != nil || i.HeldAt == nil || i.HeldReason != clinic.HeldRestored || i.HeldSince == nil {
		t.Errorf("it is not stopped: %+v %v", i, err)
	}
	if due, err := c.RelayDue(t.Context(), 10); err != nil || len(due) != 0 {
		t.Errorf("it would send %d: %v", len(due), err)
	}
	if n, err := c.BackupLast(t.Context()); err != nil || !n.IsZero() {
		t.Errorf("it knows of the backup that it came from: %v %v", n, err)
	}
	var out bytes.Buffer
	err = Reconcile(t.Context(), withSenders(there), Reconciling{DryRun: true}, &out)
	if err != nil || !strings.Contains(out.String(), "the database was restored from a backup") {
		t.Errorf("reconcile: %v\n%s", err, out.String())
	}
}

// withSenders are settings with which providers' accounts open. Nobody is asked.
func withSenders(cfg config.Config) *config.Config {
	cfg.SendGrid = config.SendGrid{BaseURL: "http://localhost:1", APIKey: "k"}
	cfg.Mail = config.Mail{From: "messages@riverside.example"}
	cfg.Twilio = config.Twilio{BaseURL: "http://localhost:1", AccountSID: "AC0", AuthToken: "k", From: "+15550100"}
	return &cfg
}

// The KEYSET decides, and it is said beforehand: which keys a backup needs, and which are missing. A later KEYSET that still
// holds the key is right; one without it restores only by force; a stranger's cannot even tell whose the backup is.
func TestBackupSaysWhichKeysItNeeds(t *testing.T) {
	t.Parallel()
	w, cfg, identity := saved(t)
	create(t, cfg)
	added := change(t, cfg, KeysetAdd)
	promoted := change(t, added, KeysetPromote)
	if _, err := verify(t, promoted, identity); err != nil {
		t.Errorf("a later KEYSET that holds the key: %v", err)
	}
	if err := RotateKeys(t.Context(), promoted, false, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	dropped := change(t, promoted, KeysetDrop)
	said, err := verify(t, dropped, identity)
	if !errors.Is(err, ErrBackupKeys) || BackupRefused(err) {
		t.Errorf("without the key: %v", err)
	}
	wants(t, said, "It needs the wrapping keys", "Your KEYSET lacks", "The archive is whole")
	into := clinictest.Empty(t)
	if _, err := restoreInto(t, dropped, Restoring{Into: into, Identity: identity}); !errors.Is(err, ErrBackupKeys) {
		t.Errorf("restored without the key: %v", err)
	}
	if said, err := restoreInto(t, dropped, Restoring{Into: into, Identity: identity, Force: true}); err != nil {
		t.Fatalf("by force, into what the refusal left empty: %v\n%s", err, said)
	}
	there := *dropped
	there.DatabaseURL = config.Secret(into)
	if err := reads(t, w, &there); clinic.Code(err) != "key_lost" && !strings.Contains(err.Error(), "keyset") {
		t.Errorf("a page without its key: %v", err)
	}
	there.Keyset = cfg.Keyset
	if err := reads(t, w, &there); err != nil {
		t.Errorf("a page with its key: %v", err)
	}
	text, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	stranger := *cfg
	stranger.Keyset = config.Secret(text)
	if _, err := verify(t, &stranger, identity); !errors.Is(err, ErrBackupKeys) || !strings.Contains(err.Error(), "not the KEYSET of the installation") {
		t.Errorf("a stranger's KEYSET: %v", err)
	}
}

// A backup that is not what was made is refused, by who has the key and by who has not, and nothing is restored from it.
func TestBackupAlteredIsRefused(t *testing.T) {
	t.Parallel()
	_, cfg, identity := saved(t)
	create(t, cfg)
	folder := filepath.Join(strings.TrimPrefix(cfg.BlobURL, "file://"), "backups")
	archive, manifest := fileOf(t, folder, ".dump.age"), fileOf(t, folder, ".manifest.json")
	whole, signed := readFile(t, archive), readFile(t, manifest)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, harm := range map[string]func() error{
		"cut short":     func() error { return os.WriteFile(archive, whole[:len(whole)-1], 0o600) },
		"made longer":   func() error { return os.WriteFile(archive, append(bytes.Clone(whole), 0), 0o600) },
		"one bit":       func() error { return os.WriteFile(archive, flipped, 0o600) },
		"the beginning": func() error { return os.WriteFile(archive, append([]byte("x"), whole[1:]...), 0o600) },
		"the manifest": func() error {
			return os.WriteFile(manifest, bytes.Replace(signed, []byte(`"generation": 0`), []byte(`"generation": 9`), 1), 0o600)
		},
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"", identity} {
			if said, err := verify(t, cfg, key); !BackupRefused(err) {
				t.Errorf("%s, with the key %t: %v\n%s", name, key != "", err, said)
			}
		}
		into := clinictest.Empty(t)
		if _, err := restoreInto(t, cfg, Restoring{Into: into, Identity: identity}); !BackupRefused(err) {
			t.Errorf("%s, restored: %v", name, err)
		}
		for file, content := range map[string][]byte{archive: whole, manifest: signed} {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := verify(t, cfg, identity); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

func fileOf(t *testing.T, folder, ending string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*"+ending))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v %v", ending, found, err)
	}
	return found[0]
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Only who has the key opens an archive: nothing of what is in it can be read where it lies, staff's names included.
func TestBackupIsEncrypted(t *testing.T) {
	t.Parallel()
	_, cfg, identity := saved(t)
	create(t, cfg)
	folder := strings.TrimPrefix(cfg.BlobURL, "file://") + "/backups"
	manifest := readFile(t, fileOf(t, folder, ".manifest.json"))
	for _, secret := range []string{"Osei", "Delgado", cfg.Keyset.Reveal(), cfg.LedgerKey.Reveal(), cfg.DatabaseURL.Reveal()} {
		if bytes.Contains(manifest, []byte(secret)) {
			t.Errorf("the manifest holds %.4s…", secret)
		}
	}
	if !bytes.HasPrefix(readFile(t, fileOf(t, folder, ".dump.age")), []byte("age-encryption.org/v1")) {
		t.Error("the archive is not encrypted")
	}
	other, _, err := backup.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(wrong, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", wrong} {
		if _, err := restoreInto(t, cfg, Restoring{Into: clinictest.Empty(t), Identity: key}); !errors.Is(err, backup.ErrNoKey) {
			t.Errorf("restored with %q: %v", key, err)
		}
	}
	if said, err := verify(t, cfg, ""); err != nil || !strings.Contains(said, "it was not opened") {
		t.Errorf("verified without a key: %v\n%s", err, said)
	}
	if _, err := verify(t, cfg, identity); err != nil {
		t.Error(err)
	}
	cfg.Backup.Recipients, cfg.Env = "", config.Staging
	if _, err := restoreInto(t, cfg, Restoring{Into: "postgres://owner@db.riverside.example/new?sslmode=disable", Identity: identity}); err == nil || !strings.Contains(err.Error(), "plain-text") {
		t.Errorf("staging restores over a plain connection: %v", err)
	}
	if _, err := backups(t, cfg, func(b *Backups) error { return b.Create(t.Context(), 0) }); err == nil || !strings.Contains(err.Error(), "BACKUP_RECIPIENTS") {
		t.Errorf("staging makes one that anybody can open: %v", err)
	}
}
