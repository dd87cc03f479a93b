package clinictest

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"

	"countersign"
)

// The migrations go down to nothing and up again, one by one.
func TestMigrationsGoDownAndUp(t *testing.T) {
	t.Parallel()
	address := DB(t)
	src, err := iofs.New(countersign.Migrations(), ".")
	if err != nil {
		t.Fatal(err)
	}
	m, err := migrate.NewWithSourceInstance("iofs", src, "pgx5"+strings.TrimPrefix(strings.TrimPrefix(address, "postgresql"), "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before := schema(t, address)
	files, err := fs.Glob(countersign.Migrations(), "*.down.sql")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d ways down, %v", len(files), err)
	}
	for range files {
		if err := m.Steps(-1); err != nil {
			t.Fatal(err)
		}
	}
	if left := schema(t, address); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := m.Up(); err != nil {
		t.Fatal(err)
	}
	if after := schema(t, address); !slices.Equal(before, after) {
		t.Errorf("the schema came back with %d things, it had %d", len(after), len(before))
	}
}

// schema names every table, index, function and trigger but the migrator's own.
func schema(t *testing.T, address string) []string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'schema_migrations%'
		UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}
