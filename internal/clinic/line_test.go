package clinic_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// What is put off is in the database before the next statement that is not, in the order of the code; a failure of it is
// a failure of the deed; and a write that must change one row says so when it did not.
func TestLine(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(ctx, clinictest.DB(t))
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE TABLE steps (n int PRIMARY KEY, at serial)")
	must(t, err)
	tx, err := conn.Begin(ctx)
	must(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	now, later, sure, flush := clinic.NewLine(tx)
	for _, n := range []int{1, 2} {
		_, err = later.Exec(ctx, "INSERT INTO steps (n) VALUES ($1)", n)
		must(t, err)
	}
	_, err = sure.Exec(ctx, "UPDATE steps SET n = 3 WHERE n = 1")
	must(t, err)
	_, err = now.Exec(ctx, "INSERT INTO steps (n) VALUES (4)")
	must(t, err)
	var order []int
	must(t, now.QueryRow(ctx, "SELECT array_agg(n ORDER BY at) FROM steps").Scan(&order))
	if len(order) != 3 || order[0] != 3 || order[1] != 2 || order[2] != 4 {
		t.Errorf("in this order: %v", order)
	}
	_, err = sure.Exec(ctx, "UPDATE steps SET n = 9 WHERE n = 8")
	must(t, err)
	wantCode(t, flush(ctx), "moved", "no such row")
	_, err = later.Exec(ctx, "UPDATE steps SET n = 9 WHERE n = 8")
	must(t, err)
	must(t, flush(ctx))
	_, err = later.Exec(ctx, "INSERT INTO steps (n) VALUES (4)")
	must(t, err)
	if now.QueryRow(ctx, "SELECT 1").Scan(new(int)) == nil || flush(ctx) != nil {
		t.Error("a write that failed does not fail what comes after it, or fails it twice")
	}
	if err := later.QueryRow(ctx, "SELECT 1").Scan(new(int)); err == nil {
		t.Error("a question was put off")
	}
}
