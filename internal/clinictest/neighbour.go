package clinictest

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/seal"
)

// Neighbour is a second clinic in the same database, with people and a patient of its own who never met the first's.
func (w *World) Neighbour(t testing.TB) *World {
	t.Helper()
	n := &World{root: w.root, Clinic: w.Clinic, URL: w.URL, Keyset: w.Keyset, Clock: w.Clock, ClinicID: uuid.Must(uuid.NewV7()), Issuer: "http://neighbour.test"}
	n.people(t)
	n.Patient = n.AddPatient(t, n.Staff, "Nora Whitfield", "1971-01-09", "90417")
	return n
}

// Strings runs a query that answers with one column of text, on the test's own connection.
func (w *World) Strings(t testing.TB, sql string, args ...any) []string {
	t.Helper()
	rows, err := w.own(t).Query(context.Background(), sql, args...)
	w.must(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	w.must(t, err)
	return out
}

// UndoWindow sets the clinic's seconds between a signature and its notice, which New leaves at 0.
func (w *World) UndoWindow(t testing.TB, seconds int) {
	t.Helper()
	w.must(t, w.Exec(t, "UPDATE clinics SET undo_seconds = $1 WHERE id = $2", seconds, w.ClinicID))
}

// Reopened is the same database opened with a keyset of its own: a process that was given the wrong keys.
func Reopened(t testing.TB, w *World) *clinic.Clinic {
	t.Helper()
	keyset, err := seal.NewKeyset()
	w.must(t, err)
	keys, err := seal.OpenKeyring(keyset)
	w.must(t, err)
	c, err := clinic.Open(context.Background(), clinic.Config{DatabaseURL: w.URL, Keyring: keys, BaseURL: "http://localhost:8080", MaxConns: 2, Now: w.Clock.Now})
	w.must(t, err)
	t.Cleanup(c.Close)
	return c
}

// LoseKey leaves a patient's key wrapped by a key that no process has.
func (w *World) LoseKey(t testing.TB, patient uuid.UUID) {
	t.Helper()
	text, err := seal.NewKeyset()
	w.must(t, err)
	stranger, err := seal.OpenKeyring(text)
	w.must(t, err)
	_, wrapped, err := stranger.NewKey(patient)
	w.must(t, err)
	w.must(t, w.Exec(t, "UPDATE patient_keys SET wrapped = $1 WHERE patient_id = $2", wrapped, patient))
}

// Reseal is a value sealed as the clinic would seal it, made by somebody who holds the keyset and the database.
func (w *World) Reseal(t testing.TB, patient uuid.UUID, table, column string, row uuid.UUID, text string) seal.Sealed {
	t.Helper()
	keys, err := seal.OpenKeyring(w.Keyset)
	w.must(t, err)
	var wrapped []byte
	w.must(t, w.own(t).QueryRow(context.Background(), "SELECT wrapped FROM patient_keys WHERE patient_id = $1", patient).Scan(&wrapped))
	key, err := keys.Unwrap(patient, wrapped)
	w.must(t, err)
	out, err := key.Seal(text, seal.Place{Table: table, Column: column, Row: row})
	w.must(t, err)
	return out
}

// Unseal opens a value as the clinic would, by whoever holds the keyset and the database.
func (w *World) Unseal(t testing.TB, patient uuid.UUID, table, column string, row uuid.UUID) string {
	t.Helper()
	keys, err := seal.OpenKeyring(w.Keyset)
	w.must(t, err)
	var wrapped []byte
	var sealed seal.Sealed
	w.must(t, w.own(t).QueryRow(context.Background(), "SELECT wrapped FROM patient_keys WHERE patient_id = $1", patient).Scan(&wrapped))
	w.must(t, w.own(t).QueryRow(context.Background(), "SELECT "+pgx.Identifier{column + "_sealed"}.Sanitize()+" FROM "+pgx.Identifier{table}.Sanitize()+" WHERE id = $1", row).Scan(&sealed))
	key, err := keys.Unwrap(patient, wrapped)
	w.must(t, err)
	text, err := key.Open(sealed, seal.Place{Table: table, Column: column, Row: row})
	w.must(t, err)
	return text.Reveal()
}
