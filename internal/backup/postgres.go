package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Programs are Postgres' own.
type Programs struct {
	Major         int
	dump, restore string
}

// Find finds pg_dump and pg_restore: in folder, if one is given, else on the PATH, else the newest where distributions
// keep them. server is the major version that they have to understand.
func Find(ctx context.Context, folder string, server int) (Programs, error) {
	var at []string
	switch {
	case folder != "":
		at = []string{folder}
	default:
		if path, err := exec.LookPath("pg_dump"); err == nil {
			at = append(at, filepath.Dir(path))
		}
		for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/libpq/bin", "/opt/homebrew/opt/postgresql@*/bin",
			"/usr/local/opt/libpq/bin", "/usr/local/opt/postgresql@*/bin", "/usr/libexec/postgresql*"} {
			found, _ := filepath.Glob(pattern)
			slices.Reverse(found)
			at = append(at, found...)
		}
	}
	var newest Programs
	for _, folder := range at {
		p := Programs{dump: filepath.Join(folder, "pg_dump"), restore: filepath.Join(folder, "pg_restore")}
		if p.Major = min(majorOf(ctx, p.dump), majorOf(ctx, p.restore)); p.Major > newest.Major {
			newest = p
		}
	}
	switch {
	case newest.Major == 0 && folder != "":
		return newest, errors.New("PG_BIN holds no pg_dump and pg_restore that run")
	case newest.Major == 0:
		return newest, fmt.Errorf("pg_dump and pg_restore are not here: install Postgres' client programs (postgresql-client-%d), or name their folder in PG_BIN", server)
	case newest.Major < server:
		return newest, fmt.Errorf("pg_dump and pg_restore are of Postgres %d, older than the %d that is needed: install postgresql-client-%d, or name its folder in PG_BIN",
			newest.Major, server, server)
	}
	return newest, nil
}

// DumpPath and RestorePath say which programs they are.
func (p Programs) DumpPath() string    { return p.dump }
func (p Programs) RestorePath() string { return p.restore }

var versionText = regexp.MustCompile(`\(PostgreSQL\) ([0-9]+)`)

func majorOf(ctx context.Context, program string) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	found := versionText.FindSubmatch(out)
	if err != nil || found == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(found[1]))
	return major
}

// Dump writes the database as it is under an exported snapshot.
func (p Programs) Dump(ctx context.Context, address, snapshot string, to io.Writer) error {
	return p.run(ctx, p.dump, address, nil, to, "--format=custom", "--no-owner", "--no-privileges", "--no-password", "--lock-wait-timeout=60000", "--snapshot="+snapshot)
}

// Contents lists what an archive holds, in pg_restore's own lines; only the head of the archive is read.
func (p Programs) Contents(ctx context.Context, from io.Reader) (string, error) {
	var out bytes.Buffer
	err := p.run(ctx, p.restore, "", from, &out, "--list")
	return out.String(), err
}

// Whole reads every byte of the archive as a restore would, and writes nothing.
func (p Programs) Whole(ctx context.Context, from io.Reader) error {
	return p.run(ctx, p.restore, "", from, io.Discard, "--file="+os.DevNull)
}

// Shape restores what tables there are, empty: what comes before the data.
func (p Programs) Shape(ctx context.Context, address string, from io.Reader) error {
	return p.run(ctx, p.restore, address, from, io.Discard, "--exit-on-error", "--no-owner", "--no-privileges", "--no-password", "--section=pre-data")
}

// Fill restores the listed data, and then what comes after it: indexes, constraints, triggers.
func (p Programs) Fill(ctx context.Context, address, list string, from io.Reader) error {
	file, err := os.CreateTemp("", "countersign-restore-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(list)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return p.run(ctx, p.restore, address, from, io.Discard, "--exit-on-error", "--no-owner", "--no-privileges", "--no-password",
		"--section=data", "--section=post-data", "--use-list="+file.Name())
}

// run runs one program with nothing of our environment but the PATH. A password is in its environment, never among its
// arguments. Of what it says only its own error lines are passed on: others may quote rows.
func (p Programs) run(ctx context.Context, program, address string, from io.Reader, to io.Writer, args ...string) error {
	env := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "PGAPPNAME=countersign backup", "PGCONNECT_TIMEOUT=15", "HOME=" + os.Getenv("HOME")}
	if address != "" {
		bare, secret, err := split(address)
		if err != nil {
			return err
		}
		if secret == "" {
			secret = os.Getenv("PGPASSWORD")
		}
		args, env = append(args, "--dbname="+bare), append(env, "PGPASSWORD="+secret, "PGPASSFILE="+os.Getenv("PGPASSFILE"))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = env, from, to, &tail{&said}, 5*time.Second
	err := cmd.Run()
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s failed (%w)%s", filepath.Base(program), err, errorLines(said.String()))
}

// ours are the parameters of an address that are for our driver, and not for libpq.
var ours = []string{"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity"}

// split takes the password out of an address.
func split(address string) (bare, password string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", "", errors.New("for backups the database's address must begin with postgres://")
	}
	query := u.Query()
	password, _ = u.User.Password()
	if query.Has("password") {
		password = query.Get("password")
	}
	if query.Has("sslpassword") {
		return "", "", errors.New("for backups the database's address must not hold an sslpassword: use a key file without one")
	}
	for name := range query {
		if slices.Contains(ours, name) || name == "password" || strings.HasPrefix(name, "pool_") {
			query.Del(name)
		}
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	u.RawQuery = query.Encode()
	return u.String(), password, nil
}

// errorLines are the program's own complaints, the first three, cut.
func errorLines(said string) string {
	var lines strings.Builder
	n := 0
	for line := range strings.Lines(said) {
		if n < 3 && strings.HasPrefix(line, "pg_") && strings.Contains(line, ": error: ") {
			n++
			fmt.Fprintf(&lines, ": %.300s", strings.TrimSpace(line))
		}
	}
	return lines.String()
}

// tail keeps what a program says, up to a limit.
type tail struct{ kept *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	if t.kept.Len() < 64<<10 {
		t.kept.Write(p)
	}
	return len(p), nil
}
