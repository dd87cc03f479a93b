package clinic_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/ledger"
)

// attack is something that the database's owner does, with all triggers off.
type attack struct {
	name    string
	do      func(t *testing.T, b *besieged)
	anchors bool   // only they show it: without them it is not found
	code    string // of the first finding
	words   string // that it has to have; EVENT is the victim
}

// besieged is a World with a sealed trail of several checkpoints, of which some are kept outside.
type besieged struct {
	*clinictest.World
	key     *ledger.Key
	known   ledger.Verifiers
	anchors []clinic.Anchor
	victim  string // an event in the middle
	leaf    int
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	_, key, known := clinictest.LedgerKey(t)
	b := &besieged{World: clinictest.New(t, clinictest.Sealing(key, known)), key: key, known: known}
	for i := range 8 {
		b.Clock.Add(time.Minute)
		for range 2 {
			_, err := b.Clinic.PatientShow(ctx, b.Staff, b.Patient)
			must(t, err)
		}
		done, err := b.Clinic.LedgerSeal(ctx)
		must(t, err)
		if i%2 == 1 {
			b.anchors = append(b.anchors, clinic.Anchor{Name: fmt.Sprintf("ledger/%d", done.Head.Size), Note: done.Head.Note})
		}
	}
	b.leaf = b.Count(t, "SELECT max(leaf) FROM ledger_leaves") - 9
	b.leaf -= b.leaf % 2
	b.victim = b.Strings(t, "SELECT event_id::text FROM ledger_leaves WHERE leaf = $1", b.leaf)[0]
	return b
}

func (b *besieged) sql(statements ...string) func(*testing.T, *besieged) {
	return func(t *testing.T, b *besieged) {
		for i := range statements {
			statements[i] = strings.NewReplacer("EVENT", "'"+b.victim+"'", "LEAF", fmt.Sprint(b.leaf)).Replace(statements[i])
		}
		owner(t, b.World, statements...)
	}
}

// rewrite makes the whole ledger anew over a trail in which the victim was changed, and signs it with a key.
func (b *besieged) rewrite(t *testing.T, key *ledger.Key) {
	sizes := b.Strings(t, "SELECT size || ' ' || sealed_at::text FROM ledger_checkpoints ORDER BY size")
	ids := b.Strings(t, "SELECT event_id::text FROM ledger_leaves ORDER BY leaf")
	owner(t, b.World, `UPDATE audit_events SET outcome = 'refused', rec = convert_to(replace(convert_from(rec, 'UTF8'), '"outcome":"done"', '"outcome":"refused"'), 'UTF8') WHERE id = '`+b.victim+"'",
		"DELETE FROM ledger_leaves", "DELETE FROM ledger_checkpoints")
	tree := &ledger.Tree{}
	for _, id := range ids {
		rec := b.Strings(t, "SELECT convert_from(rec, 'UTF8') FROM audit_events WHERE id = $1", uuid.MustParse(id))[0]
		leaf := tree.Append(ledger.LeafHash([]byte(rec)))
		must(t, b.Exec(t, "INSERT INTO ledger_leaves (leaf, event_id, at, hashes) SELECT $1, id, at, $2 FROM audit_events WHERE id = $3", leaf.Index, leaf.Hashes, uuid.MustParse(id)))
		for _, s := range sizes {
			size, at, _ := strings.Cut(s, " ")
			if size != fmt.Sprint(tree.Size()) {
				continue
			}
			sealed, err := time.Parse("2006-01-02 15:04:05Z07", at)
			must(t, err)
			c, err := key.Sign(tree, sealed)
			must(t, err)
			must(t, b.Exec(t, "INSERT INTO ledger_checkpoints (size, sealed_at, note) VALUES ($1, $2, $3)", c.Size, c.At, c.Note))
		}
	}
}

// attacks are all that we know the owner can do.
func attacks() []attack {
	var b *besieged
	const edit = `UPDATE audit_events SET outcome = 'refused', rec = convert_to(replace(convert_from(rec, 'UTF8'), '"outcome":"done"', '"outcome":"refused"'), 'UTF8') WHERE id = EVENT`
	return []attack{
		{name: "edit an event's columns", do: b.sql("UPDATE audit_events SET outcome = 'refused' WHERE id = EVENT"), code: "columns_changed", words: "EVENT (leaf LEAF) says something else in its columns than in its bytes: outcome"},
		{name: "edit an event", do: b.sql(edit), code: "event_changed", words: "EVENT (leaf LEAF) is not what was sealed"},
		{name: "edit it with its leaf", do: b.sql(edit, "UPDATE ledger_leaves l SET hashes = sha256('\\x00'::bytea || e.rec) || substr(l.hashes, 33) FROM audit_events e WHERE e.id = l.event_id AND e.id = EVENT"),
			code: "leaf_changed", words: "leaf LEAF (event EVENT)"},
		{name: "shorten a leaf's hashes", do: b.sql("ALTER TABLE ledger_leaves DROP CONSTRAINT ledger_leaves_hashes_check", "UPDATE ledger_leaves SET hashes = substr(hashes, 1, 31) WHERE leaf = LEAF"),
			code: "leaf_broken", words: "leaf LEAF (event EVENT) has no hash"},
		{name: "lengthen them", do: b.sql("UPDATE ledger_leaves SET hashes = hashes || sha256('x') WHERE leaf = LEAF"), code: "leaf_changed", words: "leaf LEAF (event EVENT) has 64 bytes of hashes, where 32 were written"},
		{name: "date an event into another month", do: b.sql("UPDATE audit_events SET at = at + interval '1 month' WHERE id = EVENT"), code: "event_moved", words: "EVENT (leaf LEAF) is dated"},
		{name: "put it in twice", do: b.sql("ALTER TABLE audit_events DROP CONSTRAINT audit_events_pkey", "INSERT INTO audit_events SELECT * FROM audit_events WHERE id = EVENT"),
			code: "event_doubled", words: "EVENT is on the trail twice"},
		{name: "number a leaf far away", do: b.sql("UPDATE ledger_leaves SET leaf = leaf + 1000000000000 WHERE leaf = (SELECT max(leaf) FROM ledger_leaves)"), code: "leaves_gone", words: "are gone"},
		{name: "have a sealed event sealed again", do: b.sql("INSERT INTO audit_pending SELECT id, clinic_id, at FROM audit_events WHERE id = EVENT"), code: "queued_again", words: "EVENT is sealed, and was put among those that wait"},
		{name: "delete an event", do: b.sql("DELETE FROM audit_events WHERE id = EVENT"), code: "event_gone", words: "EVENT (leaf LEAF) is gone"},
		{name: "delete it with its leaf", do: b.sql("DELETE FROM audit_events WHERE id = EVENT", "DELETE FROM ledger_leaves WHERE leaf = LEAF"), code: "leaves_gone", words: "leaves LEAF to LEAF are gone"},
		{name: "delete it and close the gap", do: b.sql("DELETE FROM audit_events WHERE id = EVENT", "DELETE FROM ledger_leaves WHERE leaf = LEAF",
			"UPDATE ledger_leaves SET leaf = leaf + 1000 WHERE leaf > LEAF", "UPDATE ledger_leaves SET leaf = leaf - 1001 WHERE leaf > 1000"), code: "leaf_changed", words: "leaf LEAF (event"},
		{name: "reorder", do: b.sql("CREATE TABLE swap AS SELECT * FROM ledger_leaves WHERE leaf IN (LEAF, LEAF + 2)", "UPDATE ledger_leaves SET event_id = gen_random_uuid() WHERE leaf IN (LEAF, LEAF + 2)",
			"UPDATE ledger_leaves l SET event_id = s.event_id, at = s.at, hashes = substr(s.hashes, 1, 32) || substr(l.hashes, 33) FROM swap s WHERE l.leaf = 2 * LEAF + 2 - s.leaf"),
			code: "leaf_changed", words: "leaf LEAF (event"},
		{name: "insert backdated, past the ledger", do: b.sql(`INSERT INTO audit_events SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'at', e.at - interval '3 minutes'))).* FROM audit_events e WHERE id = EVENT`),
			code: "unsealed", words: "is neither sealed nor waiting"},
		{name: "insert backdated, and have it sealed", do: insertSealed, code: "backdated", words: "and was added after the checkpoint of"},
		{name: "take an event before it is sealed", do: takeWaiting, code: "lost", words: "was taken away before it was sealed"},
		{name: "cut the tail", do: b.sql("DELETE FROM audit_events e USING ledger_leaves l WHERE l.event_id = e.id AND l.leaf >= LEAF", "DELETE FROM ledger_leaves WHERE leaf >= LEAF"),
			code: "tail_cut", words: "leaves LEAF to"},
		{name: "cut the tail with its checkpoints", anchors: true, code: "tail_cut", words: "are gone: the anchor ledger/",
			do: b.sql("DELETE FROM ledger_checkpoints WHERE size > (SELECT max(size) FROM ledger_checkpoints WHERE size <= LEAF)",
				"DELETE FROM audit_events e USING ledger_leaves l WHERE l.event_id = e.id AND l.leaf >= (SELECT max(size) FROM ledger_checkpoints)",
				"DELETE FROM ledger_leaves WHERE leaf >= (SELECT max(size) FROM ledger_checkpoints)")},
		{name: "rewrite all without the key", do: func(t *testing.T, b *besieged) {
			_, other, _ := clinictest.LedgerKey(t)
			b.rewrite(t, other)
		}, code: "checkpoint_forged", words: "is not signed by the ledger's key"},
		{name: "rewrite all with the key", do: func(t *testing.T, b *besieged) { b.rewrite(t, b.key) }, anchors: true, code: "rewritten", words: "were rewritten: they do not give the root of the anchor ledger/"},
	}
}

// insertSealed puts an old event in by the front, triggers on, so that the sealer takes it for a new one.
func insertSealed(t *testing.T, b *besieged) {
	must(t, b.Exec(t, `INSERT INTO audit_events SELECT (jsonb_populate_record(e, jsonb_build_object('id', n.id, 'at', n.at))).* FROM audit_events e,
		(SELECT '01900000-0000-7000-8000-000000000001'::uuid AS id, at - interval '1 hour' AS at FROM audit_events WHERE id = $1) n WHERE e.id = $1`, uuid.MustParse(b.victim)))
	owner(t, b.World, `UPDATE audit_events SET rec = convert_to(regexp_replace(replace(convert_from(rec, 'UTF8'), '`+b.victim+`', id::text), '"at":"[^"]*"',
		'"at":"' || regexp_replace(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '\.?0+$', '') || 'Z"'), 'UTF8') WHERE id = '01900000-0000-7000-8000-000000000001'`)
	sealAll(t, b.World)
}

func takeWaiting(t *testing.T, b *besieged) {
	_, err := b.Clinic.PatientShow(ctx, b.Staff, b.Patient)
	must(t, err)
	owner(t, b.World, "DELETE FROM audit_events e USING audit_pending p WHERE p.event_id = e.id")
}

func (b *besieged) verify(t *testing.T, anchors ...clinic.Anchor) clinic.LedgerReport {
	t.Helper()
	r, err := b.Clinic.LedgerVerify(ctx, clinic.LedgerCheck{Known: b.known, Anchors: anchors})
	must(t, err)
	return r
}

// Whatever the owner does is found, and the finding names the event or the leaves.
func TestLedgerAttacks(t *testing.T) {
	t.Parallel()
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			b := besiege(t)
			if r := b.verify(t, b.anchors...); len(r.Findings) > 0 || r.Anchored != r.Leaves || r.Leaves != r.Events {
				t.Fatalf("before the attack: %+v", r)
			}
			a.do(t, b)
			if alone := b.verify(t); a.anchors != (len(alone.Findings) == 0) {
				t.Errorf("without anchors: %+v", alone.Findings)
			}
			r := b.verify(t, b.anchors...)
			if len(r.Findings) == 0 {
				t.Fatal("not found")
			}
			words := strings.NewReplacer("EVENT", b.victim, "LEAF", fmt.Sprint(b.leaf)).Replace(a.words)
			first := r.Findings[0]
			if said := first.Words; first.Code != a.code || !strings.Contains(said, words) && !strings.Contains(said, strings.Replace(words, "leaf ", "or leaf ", 1)) {
				t.Errorf("found %s: %s", first.Code, said)
			}
			by := "the database alone"
			if a.anchors {
				by = "the anchors"
			}
			t.Logf("| %s | %s | %s |", a.name, by, first.Words)
		})
	}
}

// Every single bit of an event counts: of its bytes and of its columns.
func TestLedgerFindsAnyBit(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	n := b.Count(t, "SELECT length(rec) FROM audit_events WHERE id = $1", uuid.MustParse(b.victim))
	for bit := 0; bit < 8*n; bit += 37 {
		flip := fmt.Sprintf("UPDATE audit_events SET rec = set_bit(rec, %d, 1 - get_bit(rec, %d)) WHERE id = '%s'", bit, bit, b.victim)
		owner(t, b.World, flip)
		if r := b.verify(t); len(r.Findings) == 0 || r.Findings[0].Event == nil || r.Findings[0].Event.String() != b.victim {
			t.Fatalf("bit %d: %+v", bit, r.Findings)
		}
		owner(t, b.World, flip)
	}
	for column, value := range map[string]string{"actor_kind": "'operator'", "actor_id": "gen_random_uuid()", "role": "'ops'", "session_id": "gen_random_uuid()", "deed": "'x'",
		"subject_kind": "'x'", "subject_id": "gen_random_uuid()", "patient_id": "NULL", "outcome": "'refused'", "reason": "'x'", "rev": "7", "detail": `'{"x": 1}'`, "ip": "'x'",
		"agent": "'x'", "request_id": "'x'", "clinic_id": "gen_random_uuid()"} {
		owner(t, b.World, "CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM audit_events WHERE id = '"+b.victim+"'",
			fmt.Sprintf("UPDATE audit_events SET %s = %s WHERE id = '%s'", column, value, b.victim))
		if r := b.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != "columns_changed" {
			t.Errorf("%s: %+v", column, r.Findings)
		}
		owner(t, b.World, fmt.Sprintf("UPDATE audit_events e SET %s = k.%s FROM kept k WHERE k.id = e.id", column, column))
	}
	if r := b.verify(t); len(r.Findings) != 0 {
		t.Errorf("put back: %+v", r.Findings)
	}
}
