package clinic_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

var evidence = []string{"accepted", "in_transit", "sent", "delivered", "undelivered", "opened", "acknowledged"} // by rank

func rank(state string) int { return slices.Index(evidence, state) + 1 }

// Any order and any repetition of the same evidence leads to the same state; it never goes back, and a proved opening
// is never lost.
func TestFoldIsOneStateWhateverTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom(states).Draw(t, "from")
		attempt := rapid.Int32Range(0, 3).Draw(t, "attempt")
		events := rapid.SliceOf(rapid.SampledFrom(append(evidence, "failed", "nonsense", ""))).Draw(t, "events")
		shuffled := rapid.Permutation(append(slices.Clone(events), rapid.SliceOf(rapid.SampledFrom(append(events, ""))).Draw(t, "repeats")...)).Draw(t, "shuffled")
		run := func(events []string) string {
			state := from
			for _, e := range events {
				next := clinic.Fold(state, attempt, e)
				if rank(next) < rank(state) {
					t.Fatalf("%s fell back to %s on %q", state, next, e)
				}
				if rank(state) >= rank("opened") && rank(next) < rank("opened") {
					t.Fatalf("the opening was lost on %q", e)
				}
				state = next
			}
			return state
		}
		a, b := run(events), run(shuffled)
		if a != b {
			t.Fatalf("from %s: %v gives %s, %v gives %s", from, events, a, shuffled, b)
		}
		if attempt == 0 && a != from {
			t.Fatalf("%v about what was never claimed moved it from %s to %s", events, from, a)
		}
		for _, e := range events { // evidence wins over whatever was thought before
			if attempt > 0 && rank(a) < rank(e) {
				t.Fatalf("from %s: %v ends in %s, short of %s", from, events, a, e)
			}
		}
	})
}

// The database's edges and the fold are one drawing: evidence moves a delivery exactly where there is an edge.
func TestFoldAgreesWithTheDatabase(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT ARRAY[from_state, to_state] FROM delivery_edges")
	must(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	must(t, err)
	drawn := map[[2]string]bool{}
	for _, e := range list {
		drawn[[2]string{e[0], e[1]}] = true
	}
	byHand := edges(true)
	for _, from := range states {
		for _, to := range states {
			pair := [2]string{from, to}
			if drawn[pair] != byHand[pair] {
				t.Errorf("%s -> %s: in the database %v, in DELIVERY %v", from, to, drawn[pair], byHand[pair])
			}
			if folds := clinic.Fold(from, 1, to) == to && from != to; slices.Contains(evidence, to) && folds != drawn[pair] {
				t.Errorf("%s -> %s: the fold says %v, the database %v", from, to, folds, drawn[pair])
			}
			if clinic.Fold(from, 0, to) != from {
				t.Errorf("%s -> %s: the fold moves what was never claimed", from, to)
			}
		}
	}
}
