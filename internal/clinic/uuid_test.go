package clinic_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Ids come back as they went, alone, in arrays and where there is none; and a row without one is no zero id.
func TestPlainIDs(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(ctx, clinictest.DB(t))
	must(t, err)
	defer conn.Close(ctx)
	must(t, clinic.PlainIDs(ctx, conn))
	id, other := uuid.Must(uuid.NewV7()), uuid.New()
	var text string
	var one uuid.UUID
	var some, none *uuid.UUID
	var all []uuid.UUID
	must(t, conn.QueryRow(ctx, "SELECT $1::uuid::text, $1::uuid, $2::uuid, $3::uuid, $4::uuid[]", id, &other, (*uuid.UUID)(nil), []uuid.UUID{id, other, {}}).
		Scan(&text, &one, &some, &none, &all))
	if text != id.String() || one != id || some == nil || *some != other || none != nil || !slices.Equal(all, []uuid.UUID{id, other, {}}) {
		t.Errorf("%s %s %v %v %v", text, one, some, none, all)
	}
	if err := conn.QueryRow(ctx, "SELECT NULL::uuid").Scan(&one); err == nil {
		t.Error("no id is read as one")
	}
	must(t, conn.QueryRow(ctx, "SELECT $1::uuid::text", id.String()).Scan(&text)) // what is text elsewhere still is
	if text != id.String() {
		t.Error(text)
	}
}
