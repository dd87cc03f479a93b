package local

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Owner is the unprivileged account that servers run as when we are root.
type Owner struct{ UID, GID uint32 }

// Home is one folder with everything that one set of servers owns. Whoever holds its lock may use it; the lock falls with the
// process that holds it, however that dies.
type Home struct {
	Dir   string
	Owner *Owner // nil unless we are root
	lock  *os.File
}

// StateFolder is where a checkout's data lives: .local inside it, or for root a folder of its own outside root's home, because
// Postgres refuses to run as root and its account could not reach into there.
func StateFolder(root string) string {
	if os.Geteuid() != 0 {
		return filepath.Join(root, ".local")
	}
	sum := sha256.Sum256([]byte(root))
	return "/var/tmp/countersign-" + hex.EncodeToString(sum[:4])
}

// takeLock tries for half a second: a child between its fork and its exec holds a copy of a lock that was just let go.
func takeLock(lock *os.File) error {
	for try := 0; ; try++ {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || try == 20 {
			return err
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// OpenHome makes the folder if need be, and locks it. If another process holds it, the error says which.
func OpenHome(dir string) (*Home, error) {
	for _, folder := range []string{filepath.Dir(dir), dir} {
		if err := ownFolder(folder); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := takeLock(lock); err != nil {
		holder, _ := os.ReadFile(lock.Name())
		_ = lock.Close()
		return nil, fmt.Errorf("already running from this checkout (process %s): stop that one first", strings.TrimSpace(string(holder)))
	}
	_ = lock.Truncate(0)
	if _, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	owner, err := serverAccount()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Home{Dir: dir, Owner: owner, lock: lock}, nil
}

// ownFolder makes a folder that others may pass through but not list, and refuses one that somebody else has put there.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to somebody else; remove it", dir)
	}
	return os.Chmod(dir, 0o711)
}

func serverAccount() (*Owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("as root, servers run as «nobody»: %w", err)
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	return &Owner{UID: uint32(uid), GID: uint32(gid)}, errors.Join(err1, err2)
}

// Close gives up the lock. The folder stays.
func (h *Home) Close() { _ = h.lock.Close() }

// Path names a file in the home.
func (h *Home) Path(name string) string { return filepath.Join(h.Dir, name) }

// Private makes a folder that only the servers' account may enter.
func (h *Home) Private(name string) (string, error) {
	dir := h.Path(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, h.give(dir)
}

// WritePrivate writes a file that only the servers' account may read.
func (h *Home) WritePrivate(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return h.give(path)
}

func (h *Home) give(path string) error {
	if h.Owner == nil {
		return nil
	}
	return os.Chown(path, int(h.Owner.UID), int(h.Owner.GID))
}

// Secret returns the named random secret of this home, made once: 48 hexadecimal digits.
func (h *Home) Secret(name string) (string, error) {
	path := h.Path(name)
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	secret := randomHex(24)
	return secret, os.WriteFile(path, []byte(secret+"\n"), 0o600)
}

// theirsMark is the file that is there if the last run used a database of the person's.
const theirsMark = "own-database"

// Keyset names the file of the keyset that runs from this home make once.
func (h *Home) Keyset() string { return h.Path("keyset") }

// LedgerKey names the file of the key that signs the audit ledger; another one does not go on with a ledger.
func (h *Home) LedgerKey() string { return h.Path("ledger-key") }

// theirBlobs begins the names of the folders that go with databases of the person's.
const theirBlobs = "blob-"

// Blob is the address of the folder that the product keeps apart from its database, a different one for each database of
// the person's (empty: ours): a product that finds another database's folder takes its own for a restored one.
func (h *Home) Blob(database string) string {
	name := "blob"
	if database != "" {
		if u, err := url.Parse(database); err == nil && u.Host != "" {
			database = u.Host + u.Path // a new password is no new database
		}
		sum := sha256.Sum256([]byte(database))
		name = theirBlobs + hex.EncodeToString(sum[:4])
	}
	return (&url.URL{Scheme: "file", Path: h.Path(name)}).String()
}

// MarkDatabase writes down for a later reset that a run's database was the person's own. The mark is never taken back: one
// such run is enough for the keyset to be the only one that opens their data.
func (h *Home) MarkDatabase(theirs bool) error {
	if !theirs {
		return nil
	}
	return os.WriteFile(h.Path(theirsMark), nil, 0o600)
}

// forget removes the home. A keyset that data in the person's own database needs stays, with the mark, the lock and the folder
// that goes with that database; kept names it.
func (h *Home) forget() (kept string, err error) {
	for _, path := range []string{h.Keyset(), h.Path(theirsMark)} {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return "", os.RemoveAll(h.Dir)
		} else if err != nil {
			return "", err
		}
	}
	entries, err := os.ReadDir(h.Dir)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		path := h.Path(entry.Name())
		if path != h.Keyset() && path != h.LedgerKey() && entry.Name() != theirsMark && path != h.lock.Name() && !strings.HasPrefix(entry.Name(), theirBlobs) {
			if err := os.RemoveAll(path); err != nil {
				return "", err
			}
		}
	}
	return h.Keyset(), nil
}

func randomHex(size int) string {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return hex.EncodeToString(raw)
}
