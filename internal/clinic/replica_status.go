package clinic

import (
	"context"
	"fmt"
	"time"

	"countersign/internal/db"
)

// ReplicaStatus is how the replica for lists does, as this process sees it.
type ReplicaStatus struct {
	Why    string        // why the primary answers them; empty: the replica does
	Behind time.Duration // how long it took to get what the primary had
}

// replicaLag is how long the status page looks for how far a replica is behind: waits up to this, 127 ms in all.
const replicaLag = 64 * time.Millisecond

// Words is the line of the status page.
func (s ReplicaStatus) Words() string {
	if s.Why != "" {
		return "Lists are read from the primary: " + s.Why + "."
	}
	return fmt.Sprintf("Lists are read from a replica, %d ms behind.", s.Behind.Milliseconds())
}

var replicaWords = map[string]string{
	replicaBehind:    "the replica is behind",
	replicaCancelled: "the replica cancels them",
	replicaAway:      "the replica cannot be reached",
	replicaSlow:      "the replica is slow",
	replicaStranger:  "the other server is no replica of this database",
	replicaFailed:    "the replica cannot answer",
}

// replicaStatus measures how far the replica is behind; nil: there is none. It changes nothing about who answers.
func (c *Clinic) replicaStatus(ctx context.Context) *ReplicaStatus {
	if c.replica == nil {
		return nil
	}
	if why := c.replica.why(time.Now()); why != "" {
		return &ReplicaStatus{Why: replicaWords[why]}
	}
	now := c.mark(ctx)
	if now == nil {
		return &ReplicaStatus{Why: replicaWords[replicaStranger]}
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, replicaFirst)
	defer cancel()
	if err := caughtUp(ctx, db.New(c.replica.pool), now.mark, replicaLag); err != nil {
		return &ReplicaStatus{Why: replicaWords[replicaReason(err)]}
	}
	return &ReplicaStatus{Behind: time.Since(began)}
}
