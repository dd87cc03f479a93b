package clinic_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// loosen takes away what Postgres itself would refuse: an owner does that first.
var loosen = []string{
	"ALTER TABLE ledger_leaves DROP CONSTRAINT ledger_leaves_pkey, DROP CONSTRAINT ledger_leaves_event_id_key, DROP CONSTRAINT ledger_leaves_leaf_check, DROP CONSTRAINT ledger_leaves_hashes_check",
	"ALTER TABLE ledger_leaves ALTER leaf DROP NOT NULL, ALTER event_id DROP NOT NULL, ALTER at DROP NOT NULL, ALTER hashes DROP NOT NULL",
	"ALTER TABLE ledger_checkpoints DROP CONSTRAINT ledger_checkpoints_pkey, DROP CONSTRAINT ledger_checkpoints_size_check",
	"ALTER TABLE ledger_checkpoints ALTER size DROP NOT NULL, ALTER sealed_at DROP NOT NULL, ALTER note DROP NOT NULL",
	"ALTER TABLE audit_events DROP CONSTRAINT audit_events_pkey",
	"ALTER TABLE audit_events ALTER id DROP NOT NULL, ALTER clinic_id DROP NOT NULL, ALTER actor_kind DROP NOT NULL, ALTER role DROP NOT NULL, ALTER deed DROP NOT NULL",
	"ALTER TABLE audit_events ALTER subject_kind DROP NOT NULL, ALTER outcome DROP NOT NULL, ALTER reason DROP NOT NULL, ALTER detail DROP NOT NULL, ALTER rec DROP NOT NULL",
	"ALTER TABLE audit_events DROP CONSTRAINT audit_events_actor_kind_check, DROP CONSTRAINT audit_events_outcome_check",
	"ALTER TABLE audit_pending ALTER event_id DROP NOT NULL",
}

// vandalism is what an owner may leave behind. EVENT is the victim, LEAF its leaf.
var vandalism = []string{
	"UPDATE ledger_leaves SET hashes = substr(hashes, 1, 31) WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET hashes = '' WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET hashes = NULL WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET hashes = hashes || hashes WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET hashes = hashes || '\\x00' WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET leaf = NULL WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET leaf = -1 WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET leaf = 9223372036854775807 WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET leaf = leaf + 1000000000000 WHERE leaf > LEAF",
	"UPDATE ledger_leaves SET leaf = LEAF WHERE leaf = LEAF + 1",
	"UPDATE ledger_leaves SET event_id = NULL WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET event_id = gen_random_uuid() WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET at = NULL WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET at = 'infinity' WHERE leaf = LEAF",
	"UPDATE ledger_leaves SET at = at + interval '1 microsecond' WHERE leaf = LEAF",
	"INSERT INTO ledger_leaves SELECT * FROM ledger_leaves WHERE leaf = LEAF",
	"INSERT INTO ledger_checkpoints SELECT size + 1000000000000, sealed_at, note FROM ledger_checkpoints LIMIT 1",
	"UPDATE ledger_checkpoints SET size = NULL WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
	"UPDATE ledger_checkpoints SET size = -7 WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
	"UPDATE ledger_checkpoints SET sealed_at = 'infinity' WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
	"UPDATE ledger_checkpoints SET sealed_at = NULL WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
	"UPDATE ledger_checkpoints SET note = NULL WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
	"UPDATE ledger_checkpoints SET note = repeat('x', 10000000) WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
	"UPDATE audit_events SET id = NULL WHERE id = EVENT",
	"UPDATE audit_events SET id = gen_random_uuid() WHERE id = EVENT",
	"UPDATE audit_events SET at = at + interval '1 month' WHERE id = EVENT",
	"UPDATE audit_events SET at = at - interval '400 years' WHERE id = EVENT",
	"UPDATE audit_events SET at = 'infinity' WHERE id = EVENT",
	"UPDATE audit_events SET at = '-infinity' WHERE id = EVENT",
	"UPDATE audit_events SET at = '294276-12-31 23:59:59.999999+00' WHERE id = EVENT",
	"UPDATE audit_events SET at = '12345-01-01' WHERE id = EVENT",
	"UPDATE audit_events SET clinic_id = NULL WHERE id = EVENT",
	"UPDATE audit_events SET reason = NULL WHERE id = EVENT",
	"UPDATE audit_events SET rec = NULL WHERE id = EVENT",
	"UPDATE audit_events SET rec = '' WHERE id = EVENT",
	"UPDATE audit_events SET rec = decode(repeat('ff', 5000000), 'hex') WHERE id = EVENT",
	"UPDATE audit_events SET detail = NULL WHERE id = EVENT",
	"UPDATE audit_events SET detail = '[]' WHERE id = EVENT",
	"UPDATE audit_events SET detail = 'null' WHERE id = EVENT",
	"UPDATE audit_events SET detail = '7' WHERE id = EVENT",
	"UPDATE audit_events SET detail = jsonb_build_object('x', repeat('y', 20000000)) WHERE id = EVENT",
	"UPDATE audit_events SET detail = (repeat('[', 5000) || repeat(']', 5000))::jsonb WHERE id = EVENT",
	"UPDATE audit_events SET detail = jsonb_build_object('n', 1e1000) WHERE id = EVENT",
	"UPDATE audit_events SET rev = -2147483648 WHERE id = EVENT",
	"UPDATE audit_events SET agent = E'\\u0001\\\"<\\u2028' WHERE id = EVENT",
	"INSERT INTO audit_events SELECT * FROM audit_events WHERE id = EVENT",
	"INSERT INTO audit_events SELECT (jsonb_populate_record(e, jsonb_build_object('at', e.at + interval '1 month'))).* FROM audit_events e WHERE id = EVENT",
	"INSERT INTO audit_pending SELECT id, clinic_id, at FROM audit_events WHERE id = EVENT",
	"INSERT INTO audit_pending SELECT gen_random_uuid(), clinic_id, at FROM audit_events WHERE id = EVENT",
	"DELETE FROM audit_events WHERE id = EVENT",
}

// sealedBlind are acts that leave what was signed untouched: rows of which nothing is said.
const sealedBlind = "UPDATE audit_pending SET event_id = NULL"

// Whatever an owner has left behind, a verification ends, and with a finding: alone, and much of it at once. In little memory,
// too, where next to nothing may wait for its other half.
func TestLedgerSurvivesVandalism(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	owner(t, b.World, loosen...)
	swap := strings.NewReplacer("EVENT", "'"+b.victim+"'", "LEAF", fmt.Sprint(b.leaf))
	tables := []string{"audit_events", "audit_pending", "ledger_leaves", "ledger_checkpoints"}
	var keep, back []string
	for _, table := range tables {
		keep = append(keep, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
		back = append(back, "DELETE FROM "+table)
	}
	for _, table := range tables {
		back = append(back, "INSERT INTO "+table+" SELECT * FROM kept_"+table, "ALTER TABLE "+table+" DISABLE TRIGGER ALL")
	}
	owner(t, b.World, keep...)
	back = append([]string{"ALTER TABLE audit_pending DISABLE TRIGGER ALL"}, back...)
	look := func(what string) {
		t.Helper()
		for _, most := range []int{0, 2} {
			began := time.Now()
			r, err := clinic.LedgerVerifyWithin(ctx, b.Clinic, clinic.LedgerCheck{Known: b.known, Anchors: b.anchors}, most)
			if err != nil || len(r.Findings) == 0 {
				t.Errorf("%s: %v, %+v", what, err, r.Findings)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%s: took %s", what, took)
			}
		}
	}
	for _, act := range vandalism {
		owner(t, b.World, swap.Replace(act))
		look(act)
		owner(t, b.World, back...)
	}
	dice := rand.New(rand.NewPCG(5, 14))
	for range 10 {
		var acts []string
		for range 5 {
			acts = append(acts, swap.Replace(vandalism[dice.IntN(len(vandalism))]))
		}
		owner(t, b.World, append(acts, sealedBlind)...)
		look(strings.Join(acts, "; "))
		owner(t, b.World, back...)
	}
	for _, most := range []int{0, 2} {
		if r, err := clinic.LedgerVerifyWithin(ctx, b.Clinic, clinic.LedgerCheck{Known: b.known, Anchors: b.anchors}, most); err != nil || len(r.Findings) != 0 || r.Leaves != r.Events {
			t.Errorf("put back: %v, %+v", err, r)
		}
	}
}
