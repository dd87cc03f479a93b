package clinictest

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/seal"
)

// Snapshot copies a database as it is at this moment and returns the copy's address. Whoever is connected is cut off and
// may come back afterwards, as with a crash.
func Snapshot(t testing.TB, address string) string {
	t.Helper()
	name, copied := nameOf(t, address), "t_"+strings.ReplaceAll(uuid.NewString(), "-", "")
	alone(t, name, "CREATE DATABASE "+copied+" TEMPLATE "+name, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")
	t.Cleanup(func() { exec(t, server(t), "DROP DATABASE IF EXISTS "+copied+" WITH (FORCE)") })
	return withDatabase(address, copied)
}

// Restore puts a copy in the place of a database. What the database was since is kept apart and returned: only the test
// knows it.
func Restore(t testing.TB, address, snapshot string) (lost string) {
	t.Helper()
	name := nameOf(t, address)
	alone(t, name, "ALTER DATABASE "+name+" RENAME TO "+name+"_lost", "ALTER DATABASE "+name+"_lost ALLOW_CONNECTIONS true",
		"ALTER DATABASE "+nameOf(t, snapshot)+" RENAME TO "+name)
	t.Cleanup(func() { exec(t, server(t), "DROP DATABASE IF EXISTS "+name+"_lost WITH (FORCE)") })
	return withDatabase(address, name+"_lost")
}

// alone runs statements while nobody can be connected to the database.
func alone(t testing.TB, name string, statements ...string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	for n := 1; n > 0; {
		run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name)
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", name).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range statements {
		run(sql)
	}
}

func nameOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// At is the World's clinic on another database of the same origin, opened with the World's keys, for a process that is
// Fenced.
func (w *World) At(t testing.TB, address string) *clinic.Clinic {
	t.Helper()
	keys, err := seal.OpenKeyring(w.Keyset)
	w.must(t, err)
	c, err := clinic.Open(context.Background(), clinic.Config{DatabaseURL: address, Keyring: keys, BaseURL: "http://localhost:8080", MaxConns: 4, Fenced: true})
	w.must(t, err)
	t.Cleanup(c.Close)
	return c
}
