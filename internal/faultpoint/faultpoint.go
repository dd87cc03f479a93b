// Package faultpoint is where a test build can be told to die, to freeze or to do wrong on purpose. It knows names and
// nothing else.
//
// In every build without the tag faultpoints its functions are empty, so a shipped binary holds none of this. With the
// tag the process obeys FAULTPOINTS, a list with semicolons:
//
//	kill=PLACE/MOMENT     the first time the point is reached, the process kills itself (SIGKILL)
//	kill=PLACE/MOMENT#3   the third time
//	freeze=PLACE/MOMENT   it stops itself (SIGSTOP) until somebody sends SIGCONT
//	seed=NAME             the named seeded fault is on for the whole run
package faultpoint

// Seeded faults, each a promise of the delivery engine broken on purpose, so that a checker can be seen to notice.
const (
	SeedFence = "fence" // a lease that ran out counts as "not sent", and its row is sent again
	SeedRelay = "relay" // nobody looks for what is due
	SeedClass = "class" // a 5xx counts as "not sent"
	SeedAudit = "audit" // a delivery changes its state without an audit event
	SeedFold  = "fold"  // later news takes a delivery back
)
