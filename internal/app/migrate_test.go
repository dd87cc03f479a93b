package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/seal"
)

// empty makes a database and an app role for this test alone and returns settings that name them.
func empty(t *testing.T) *config.Config {
	t.Helper()
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		t.Fatal("TEST_DATABASE_URL is not set: run the tests with make test, which starts a Postgres for them")
	}
	name := "m_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	server := connect(t, address)
	must(t, server, "CREATE DATABASE "+name)
	must(t, server, "CREATE ROLE "+name+" LOGIN PASSWORD 'pw-"+name+"'")
	t.Cleanup(func() {
		must(t, server, "DROP DATABASE "+name+" WITH (FORCE)")
		must(t, server, "DROP ROLE "+name)
	})
	owner, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	owner.Path = "/" + name
	app := *owner
	app.User = url.UserPassword(name, "pw-"+name)
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return &config.Config{Env: config.Local, BaseURL: "http://localhost:8080", DatabaseURL: config.Secret(app.String()),
		MigrateDatabaseURL: config.Secret(owner.String()), Keyset: config.Secret(keyset), Access: config.Access{Issuer: "http://issuer.test"}}
}

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func must(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", strings.Fields(sql)[0], err)
	}
}

func number(t *testing.T, conn *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The app's role may do its work and may not touch what is append-only, not even by a partition's own name.
func TestMigrateGrants(t *testing.T) {
	t.Parallel()
	cfg := empty(t)
	var out strings.Builder
	if err := Migrate(context.Background(), cfg, &out); err != nil {
		t.Fatal(err)
	}
	app := connect(t, cfg.DatabaseURL.Reveal())
	if n := number(t, app, "SELECT version FROM schema_migrations"); n < clinic.SchemaVersion {
		t.Errorf("the schema is at %d, the code wants %d", n, clinic.SchemaVersion)
	}
	for _, sql := range []string{
		"UPDATE audit_events SET reason = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events", "UPDATE audit_events_default SET reason = 'x'",
		"DELETE FROM audit_events_default", "TRUNCATE audit_events_default", "UPDATE consents SET status = 'in'", "DELETE FROM consents", "UPDATE ledger_leaves SET leaf = 7", "DELETE FROM ledger_leaves",
		"UPDATE ledger_checkpoints SET note = ''", "DELETE FROM ledger_checkpoints", "TRUNCATE ledger_leaves",
		"UPDATE audit_pending SET at = now()", "UPDATE schema_migrations SET version = 0", "DELETE FROM delivery_edges", "DELETE FROM instance", "INSERT INTO instance DEFAULT VALUES", "TRUNCATE instance",
		"CREATE TABLE mine (a int)",
		"ALTER TABLE audit_events DISABLE TRIGGER ALL", "DROP TABLE consents",
	} {
		_, err := app.Exec(context.Background(), sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	must(t, app, "SELECT count(*) FROM audit_events")
	must(t, app, "DELETE FROM audit_pending")
	must(t, app, "UPDATE instance SET generation = generation + 1")
	must(t, app, "UPDATE messages SET version = version")
	if !strings.Contains(out.String(), "from version 0 to ") {
		t.Errorf("it said %s", out.String())
	}
}

// The app's role may delete rows of those tables of which a query of ours does, and of no other.
func TestMigrateGrantsDeletes(t *testing.T) {
	t.Parallel()
	cfg := empty(t)
	if err := Migrate(context.Background(), cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`DELETE FROM ([a-z_]+)`).FindAllStringSubmatch(string(text), -1) {
			want[m[1]] = true
		}
	}
	app := connect(t, cfg.DatabaseURL.Reveal())
	rows, err := app.Query(context.Background(), "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege(c.oid, 'DELETE') ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	may, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if wants := slices.Sorted(maps.Keys(want)); !slices.Equal(may, wants) || len(wants) < 15 {
		t.Errorf("the app's role may delete of\n%v\nand its queries do of\n%v", may, wants)
	}
}

// A new installation knows nobody: there is no account, no session, no clinic and no key that came with it.
func TestMigrateMakesNobody(t *testing.T) {
	t.Parallel()
	cfg := empty(t)
	if err := Migrate(context.Background(), cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	app := connect(t, cfg.DatabaseURL.Reveal())
	for _, table := range []string{"clinics", "staff", "sessions", "patients", "patient_keys", "networks"} {
		if n := number(t, app, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d %s came with the migrations", n, table)
		}
	}
}

// Again, and several at once: nothing changes, nobody fails, and a later table is granted, too.
func TestMigrateAgain(t *testing.T) {
	t.Parallel()
	cfg := empty(t)
	var all sync.WaitGroup
	failed := make([]error, 3)
	for i := range failed {
		all.Go(func() { failed[i] = Migrate(context.Background(), cfg, &strings.Builder{}) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	owner := connect(t, cfg.MigrateDatabaseURL.Reveal())
	must(t, owner, "CREATE TABLE later (a int)")
	var out strings.Builder
	if err := Migrate(context.Background(), cfg, &out); err != nil || !strings.Contains(out.String(), "already") {
		t.Errorf("%v: %s", err, out.String())
	}
	must(t, connect(t, cfg.DatabaseURL.Reveal()), "INSERT INTO later VALUES (1)")
	cfg.DatabaseURL = cfg.MigrateDatabaseURL
	out.Reset()
	if err := Migrate(context.Background(), cfg, &out); err != nil || !strings.Contains(out.String(), "One role") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// A migration that fails says which and what to do, and names no password.
func TestMigrateFails(t *testing.T) {
	t.Parallel()
	cfg := empty(t)
	files := fstest.MapFS{"000001_bad.up.sql": {Data: []byte("CREATE TABLE a (b int); CREATE TABLE a (b int)")}, "000001_bad.down.sql": {Data: []byte("")}}
	if err := migrateFrom(context.Background(), cfg, files, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v", err)
	}
	if err := migrateFrom(context.Background(), cfg, files, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "migration 1 broke off") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	away, err := url.Parse(cfg.MigrateDatabaseURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(u *url.URL){
		"nobody there":   func(u *url.URL) { u.Host = "127.0.0.1:1" },
		"wrong password": func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "pw-wrong-1") },
		"no database":    func(u *url.URL) { u.Path = "/nowhere" },
	} {
		u := *away
		change(&u)
		one := *cfg
		one.MigrateDatabaseURL = config.Secret(u.String())
		wait := context.Background()
		if what == "nobody there" {
			wait = ctx // the others must not wait by themselves
		}
		if err := Migrate(wait, &one, &strings.Builder{}); err == nil || strings.Contains(fmt.Sprint(err), "pw-") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What the security score says of the trail is true of the role that runs the app, and of the owner.
func TestWhoMayRewriteTheTrail(t *testing.T) {
	t.Parallel()
	cfg := empty(t)
	if err := Migrate(t.Context(), cfg, io.Discard); err != nil {
		t.Fatal(err)
	}
	owner := *cfg
	owner.DatabaseURL = cfg.MigrateDatabaseURL
	operator := clinic.OperatorActor("test")
	operator.ClinicID = uuid.Must(uuid.NewV7())
	for name, as := range map[string]*config.Config{"the app's own role": cfg, "the owner": &owner} {
		c, err := openStore(t.Context(), as, clinic.Times{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		form := clinic.ClinicForm{ID: operator.ClinicID, Name: "Riverside", NoticeName: "your clinic", Phone: "+14155550100", Zone: "UTC"}
		if err := c.ClinicCreate(t.Context(), operator, form); err != nil {
			t.Fatal(err)
		}
		admin, err := c.StaffPut(t.Context(), operator, clinic.StaffForm{ClinicID: operator.ClinicID, Role: clinic.Admin, Name: "Ruth", Email: "ruth@riverside.example",
			Issuer: "http://issuer.test", Subject: "ruth"})
		if err != nil {
			t.Fatal(err)
		}
		if seen, err := c.SecurityShow(t.Context(), admin); err != nil || seen.MayRewrite != (name == "the owner") {
			t.Errorf("%s may rewrite the trail: %v, %v", name, seen.MayRewrite, err)
		}
	}
}
