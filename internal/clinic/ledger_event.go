package clinic

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"

	"countersign/internal/db"
)

// disagreement names the columns of an event that say something else than its canonical bytes; "rec" when these are not the
// canonical form of anything. Nothing: they agree.
func disagreement(r *db.LedgerChunkRow) []string {
	e := event{Version: 1, ID: r.EventID, At: r.LeafAt.UTC(), ClinicID: orZero(r.ClinicID), ActorKind: ActorKind(orZero(r.ActorKind)), ActorID: r.ActorID,
		Role: Role(orZero(r.Role)), SessionID: r.SessionID, Deed: Deed(orZero(r.Deed)), SubjectKind: orZero(r.SubjectKind), SubjectID: r.SubjectID,
		PatientID: r.PatientID, Outcome: orZero(r.Outcome), Reason: orZero(r.Reason), Rev: r.Rev, IP: orZero(r.Ip), Agent: orZero(r.Agent),
		RequestID: orZero(r.RequestID)}
	if json.Unmarshal(r.Detail, &e.Detail) != nil {
		return []string{"detail"}
	}
	if again, err := json.Marshal(e); err == nil && bytes.Equal(again, r.Rec) {
		return nil
	}
	return slowly(e, r.Rec)
}

// slowly compares field by field. A detail that holds more than words and numbers comes back from Postgres in another
// order, and means the same.
func slowly(e event, rec []byte) (bad []string) {
	var said, kept map[string]any
	again, err := json.Marshal(e)
	if err != nil || json.Unmarshal(again, &kept) != nil || json.Unmarshal(rec, &said) != nil {
		return []string{"rec"}
	}
	for name := range said {
		if !reflect.DeepEqual(said[name], kept[name]) {
			bad = append(bad, name)
		}
	}
	for name := range kept {
		if _, there := said[name]; !there {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	return bad
}
