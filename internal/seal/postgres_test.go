package seal_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"countersign/internal/seal"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		t.Fatal("TEST_DATABASE_URL is not set: run the tests with make test, which starts a Postgres for them")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal("TEST_DATABASE_URL is not an address that Postgres understands")
	}
	config.DefaultQueryExecMode = mode
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Sealed goes into a bytea column and comes out again, in every mode that pgx
// speaks in, and a null stays a null.
func TestSealedInPostgres(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]pgx.QueryExecMode{
		"prepared": pgx.QueryExecModeCacheStatement,
		"exec":     pgx.QueryExecModeExec,
		"simple":   pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roundTrip(t, connect(t, mode))
		})
	}
}

func roundTrip(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	ctx := t.Context()
	if _, err := conn.Exec(ctx, `CREATE TEMPORARY TABLE notes (id uuid PRIMARY KEY, body bytea)`); err != nil {
		t.Fatal(err)
	}
	keyset, err := seal.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := ring.NewKey(uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	const plain = "Idris Vantongeren asks about his inhaler"
	full, empty := uuid.New(), uuid.New()
	at := seal.Place{Table: "notes", Column: "body", Row: full}
	sealed, err := key.Seal(plain, at)
	if err != nil {
		t.Fatal(err)
	}
	for row, body := range map[uuid.UUID]seal.Sealed{full: sealed, empty: nil} {
		if _, err := conn.Exec(ctx, `INSERT INTO notes (id, body) VALUES ($1, $2)`, row.String(), body); err != nil {
			t.Fatal(err)
		}
	}
	var raw []byte
	var body, null seal.Sealed
	if err := conn.QueryRow(ctx, `SELECT body, body FROM notes WHERE id = $1`, full.String()).Scan(&raw, &body); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, sealed) {
		t.Fatal("the column does not hold the sealed bytes")
	}
	if text, err := key.Open(body, at); err != nil || text.Reveal() != plain {
		t.Fatalf("what was stored does not open: %v", err)
	}
	null = seal.Sealed("something before")
	if err := conn.QueryRow(ctx, `SELECT body FROM notes WHERE id = $1`, empty.String()).Scan(&null); err != nil || null != nil {
		t.Fatalf("a null came back as %d bytes, %v", len(null), err)
	}
	if mode := conn.Config().DefaultQueryExecMode; mode == pgx.QueryExecModeCacheStatement {
		findInArray(t, conn, sealed) // the other modes know no arrays of types they have not been told of
	}
	refuseText(t, conn, full)
}

// Opened text is not a value for a column: forgetting to seal it must fail,
// and must not tell the text.
func refuseText(t *testing.T, conn *pgx.Conn, row uuid.UUID) {
	t.Helper()
	for _, query := range []string{`UPDATE notes SET body = $2 WHERE id = $1`, `SELECT $1::text, $2::text`} {
		_, err := conn.Exec(t.Context(), query, row.String(), seal.Text("Idris Vantongeren"))
		if !errors.Is(err, seal.ErrUnsealed) {
			t.Errorf("%s with opened text gave %v", query, err)
		} else if strings.Contains(err.Error(), "Idris") {
			t.Errorf("the error tells the text: %v", err)
		}
	}
}

func findInArray(t *testing.T, conn *pgx.Conn, sealed seal.Sealed) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT body FROM notes WHERE body = ANY($1::bytea[])`, []seal.Sealed{sealed})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := pgx.CollectRows(rows, pgx.RowTo[seal.Sealed]); err != nil || len(found) != 1 || !bytes.Equal(found[0], sealed) {
		t.Fatalf("an array of sealed values found %d rows, %v", len(found), err)
	}
}
