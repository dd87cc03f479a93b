package metrics

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestTracerFeedsTimingAndFigures(t *testing.T) {
	t.Parallel()
	m := New()
	tracer := m.Tracer()
	ctx, timing := WithTiming(t.Context())
	query := func(sql string, err error) {
		t.Helper()
		at := tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: sql, Args: []any{"Marguerite Olander"}})
		tracer.TraceQueryEnd(at, nil, pgx.TraceQueryEndData{Err: err})
	}
	query("-- name: ReviewApprove :one\nUPDATE reviews", nil)
	query("-- name: ReviewShow :one\nSELECT", pgx.ErrNoRows)
	query("SELECT 'Marguerite Olander'", &pgconn.PgError{Code: "23505", Message: "Marguerite Olander"})

	at := tracer.TraceBatchStart(ctx, nil, pgx.TraceBatchStartData{Batch: &pgx.Batch{}})
	for range 4 {
		tracer.TraceBatchQuery(at, nil, pgx.TraceBatchQueryData{})
	}
	tracer.TraceBatchEnd(at, nil, pgx.TraceBatchEndData{})
	tracer.TraceCopyFromEnd(tracer.TraceCopyFromStart(ctx, nil, pgx.TraceCopyFromStartData{}), nil, pgx.TraceCopyFromEndData{})

	tracer.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{}) // never started: nothing to count
	outside := tracer.TraceQueryStart(t.Context(), nil, pgx.TraceQueryStartData{})
	tracer.TraceQueryEnd(outside, nil, pgx.TraceQueryEndData{})

	if queries, took := timing.DB(); queries != 8 || took <= 0 {
		t.Errorf("%d queries in %v, want 8 in more than nothing", queries, took)
	}
	got := scrape(t, m)
	for _, want := range []string{
		`countersign_db_query_seconds_count{outcome="ok",query="ReviewApprove"} 1`,
		`countersign_db_query_seconds_count{outcome="ok",query="ReviewShow"} 1`,
		`countersign_db_query_seconds_count{outcome="error",query="unnamed"} 1`,
		`countersign_db_query_seconds_count{outcome="ok",query="unnamed"} 1`,
		`countersign_db_query_seconds_count{outcome="ok",query="batch"} 1`,
		`countersign_db_query_seconds_count{outcome="ok",query="copy"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the figures do not have %s", want)
		}
	}
	if strings.Contains(got, "Marguerite") {
		t.Error("patient text became a figure")
	}
}

func TestTracerOnPostgres(t *testing.T) {
	t.Parallel()
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		t.Fatal("TEST_DATABASE_URL is not set: run the tests with make test, which starts a Postgres for them")
	}
	m := New()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal("TEST_DATABASE_URL is not an address that Postgres understands")
	}
	config.Tracer = m.Tracer()
	bound, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(bound, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })

	ctx, timing := WithTiming(bound)
	if _, err := conn.Exec(ctx, "-- name: StatusSleep :exec\nSELECT pg_sleep(0.05)"); err != nil {
		t.Fatal(err)
	}
	if queries, took := timing.DB(); queries != 1 || took < 50*time.Millisecond || took > timing.Total() {
		t.Errorf("%d queries in %v of %v, want 1 in 50ms or more", queries, took, timing.Total())
	}
	ctx, timing = WithTiming(bound)
	batch := &pgx.Batch{}
	for range 3 {
		batch.Queue("SELECT 1")
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		t.Fatal(err)
	}
	if queries, _ := timing.DB(); queries != 3 {
		t.Errorf("a batch counts %d queries, want 3", queries)
	}
	first := &pgx.Batch{}
	first.Queue("begin")
	first.Queue("-- name: StatusFirst :one\nSELECT 1")
	if err := conn.SendBatch(ctx, first).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "rollback"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "-- name: StatusBroken :exec\nSELECT 1/0"); err == nil {
		t.Fatal("a division by zero went well")
	}
	for _, want := range []string{`{outcome="ok",query="StatusSleep"} 1`, `{outcome="ok",query="batch"} 1`, `{outcome="ok",query="StatusFirst"} 1`,
		`{outcome="error",query="StatusBroken"} 1`} {
		if got := scrape(t, m); !strings.Contains(got, "countersign_db_query_seconds_count"+want) {
			t.Errorf("the figures do not have %s", want)
		}
	}
}
