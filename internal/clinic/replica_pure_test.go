package clinic

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"countersign/internal/db"
)

// A replica counts only if it replays, is of the same database on the same timeline, and has come as far.
func TestMarkIn(t *testing.T) {
	t.Parallel()
	m := mark{"7712283226177907796 00000002", 100}
	for name, tt := range map[string]struct {
		s    db.ReplicaStateRow
		want error
	}{
		"there":             {db.ReplicaStateRow{Standby: true, Origin: m.origin, At: 100}, nil},
		"further":           {db.ReplicaStateRow{Standby: true, Origin: m.origin, At: 101}, nil},
		"behind":            {db.ReplicaStateRow{Standby: true, Origin: m.origin, At: 99}, errBehind},
		"promoted":          {db.ReplicaStateRow{Standby: false, Origin: m.origin, At: 101}, errStranger},
		"another past":      {db.ReplicaStateRow{Standby: true, Origin: "7712283226177907796 00000001", At: 101}, errStranger},
		"another database":  {db.ReplicaStateRow{Standby: true, Origin: "7712283226177907797 00000002", At: 101}, errStranger},
		"of a fresh backup": {db.ReplicaStateRow{Standby: true, Origin: m.origin}, errBehind},
	} {
		if err := m.in(tt.s); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a request has to find is good for its request alone.
func TestSeenIsGood(t *testing.T) {
	t.Parallel()
	var nothing *seen
	c := &Clinic{replica: &replica{}}
	s := c.marked("7712283226177907796 00000001", 100)
	now := time.Now()
	if nothing.good(now) || !s.good(now) || s.good(now.Add(replicaKnown)) {
		t.Error("a mark is good when there is one and it is young")
	}
	if c.marked("", 0) != nil || (&Clinic{}).marked(s.mark.origin, 100) != nil {
		t.Error("a primary that is none, or a process without a replica, gives no mark")
	}
}

func TestReplicaReason(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		replicaBehind: errBehind, replicaStranger: errStranger, replicaSlow: fmt.Errorf("reading: %w", context.DeadlineExceeded),
		replicaCancelled: &pgconn.PgError{Code: "40001"}, replicaAway: &pgconn.PgError{Code: "57P03"}, replicaFailed: &pgconn.PgError{Code: "42P01"},
	} {
		if got := replicaReason(err); got != want {
			t.Errorf("%v is %s, and not %s", err, got, want)
		}
	}
	for _, word := range []string{replicaBehind, replicaCancelled, replicaAway, replicaSlow, replicaStranger, replicaFailed} {
		if replicaWords[word] == "" {
			t.Errorf("the status page has no words for %s", word)
		}
	}
}

// A replica that fails is left alone for the pause; then one list tries it, and the others wait for what it finds.
func TestReplicaCircuit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := circuit{pause: 5 * time.Second}
	if !c.ask(now) || !c.bad(now, replicaAway) || c.ask(now.Add(4*time.Second)) {
		t.Error("a replica that is away is asked again at once")
	}
	if c.bad(now, replicaAway) {
		t.Error("what is known is told again")
	}
	later := now.Add(6 * time.Second)
	if !c.ask(later) || c.ask(later) {
		t.Error("after the pause more than one list tries it, or none")
	}
	if c.why(now) != replicaAway || c.why(later.Add(6*time.Second)) != "" {
		t.Error("the status page is told of a pause that is over, or not of one that is not")
	}
	if was := c.good(); was != replicaAway || !c.ask(later) || !c.ask(later) || c.good() != "" {
		t.Errorf("after it answered: %q", was)
	}
	for n, want := range []bool{false, false, true} {
		if c.bad(now, replicaBehind) != want || c.ask(now) == want {
			t.Errorf("behind for the %d. time", n+1)
		}
	}
	c.good()
	c.bad(now, replicaBehind)
	c.bad(now, replicaCancelled)
	c.good()
	if c.bad(now, replicaBehind) || !c.ask(now) {
		t.Error("misses that are not in a row open it")
	}
}

// A list that puts a write off, which nobody would send from a replica, is not answered there: the primary has to do it.
func TestAListOnAReplicaPutsNothingOff(t *testing.T) {
	t.Parallel()
	if err := (&tx{}).reads(nil, func(*tx) error { return nil }); err != nil {
		t.Errorf("a list that writes nothing: %v", err)
	}
	err := (&tx{}).reads(nil, func(t *tx) error {
		t.line.one(func(*db.Queries) error { return nil })
		return nil
	})
	var ours *Error
	if err == nil || errors.As(err, &ours) || replicaReason(err) != replicaFailed {
		t.Errorf("a list that writes: %v, %q", err, replicaReason(err))
	}
}
