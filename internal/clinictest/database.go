// Package clinictest gives a test a real clinic: a Postgres database of its own, copied from a migrated template in
// some 20 ms, and a World whose people and patients were made by doing deeds, not by inserts. It imports no outside
// technology but Postgres, and it never skips: without TEST_DATABASE_URL a test fails.
package clinictest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5" // the driver behind pgx5://
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign"
)

// server is the address of the test Postgres; its role may create databases.
func server(t testing.TB) string {
	t.Helper()
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		t.Fatal("TEST_DATABASE_URL is not set: run the tests with make test, which starts a Postgres for them")
	}
	return address
}

func withDatabase(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Path = "/" + name
	return u.String()
}

// template makes the migrated database once per schema, whichever process comes first, and returns its name.
var template = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	address := os.Getenv("TEST_DATABASE_URL")
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	name, err := templateName()
	if err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	defer func() { _, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock(hashtext($1))", name) }()
	var ready bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&ready); err != nil || ready {
		return name, err
	}
	building := name + "_building"
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+building); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+building); err != nil {
		return "", err
	}
	if err := migrateUp(withDatabase(address, building)); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+building+" RENAME TO "+name)
	return name, err
})

func templateName() (string, error) {
	h := sha256.New()
	files, err := fs.Glob(countersign.Migrations(), "*.up.sql")
	for _, f := range files {
		b, err := fs.ReadFile(countersign.Migrations(), f)
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	return "countersign_template_" + hex.EncodeToString(h.Sum(nil))[:12], err
}

func migrateUp(address string) error {
	src, err := iofs.New(countersign.Migrations(), ".")
	if err != nil {
		return err
	}
	m, err := migrate.NewWithSourceInstance("iofs", src, "pgx5"+strings.TrimPrefix(strings.TrimPrefix(address, "postgresql"), "postgres"))
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Up()
}

// DB makes an empty, migrated database for this test alone and returns its address. It is dropped afterwards.
func DB(t testing.TB) string {
	t.Helper()
	address := server(t)
	from, err := template()
	if err != nil {
		t.Fatalf("the template database: %v", err)
	}
	name := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, address, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from))
	t.Cleanup(func() { exec(t, address, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)) })
	return withDatabase(address, name)
}

func exec(t testing.TB, address, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", strings.Fields(sql)[0], err)
	}
}

// Empty makes a database with nothing in it for this test alone and returns its address. It is dropped afterwards.
func Empty(t testing.TB) string {
	t.Helper()
	address, name := server(t), "t_"+strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, address, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { exec(t, address, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)) })
	return withDatabase(address, name)
}
