package chaos

import (
	"fmt"
	"time"
)

// Times are the clocks of the delivery engine that a run sets, by the product's own settings.
type Times struct {
	Lease       time.Duration // how long a claim holds
	Provider    time.Duration // one attempt at a provider
	StartWindow time.Duration // how long after its claim an attempt may begin
	Reenqueue   time.Duration // when a row is handed to the queue again
	Relay       time.Duration // between two looks at what is due
	Reconcile   time.Duration // between two looks at expired leases and at what is unknown
	Grace       time.Duration // how long evidence may take before a person is asked
	Again       time.Duration // between two look-ups of what needs a person
	Breaker     time.Duration // how long a channel that failed is left alone
	Remind      time.Duration // between two looks at what nobody has opened
	First       time.Duration // from a notice to its reminder; a second one does not come within a run
	Urgent      time.Duration // the same of an urgent message
	Call        time.Duration // from the reminder of an urgent message to the task to call
}

// ShortTimes let an hour of trouble happen in minutes; RealTimes are the product's defaults.
var (
	ShortTimes = Times{Lease: 6 * time.Second, Provider: 2 * time.Second, StartWindow: 3 * time.Second, Reenqueue: 4 * time.Second,
		Relay: time.Second, Reconcile: 2 * time.Second, Grace: 14 * time.Second, Again: 2 * time.Second, Breaker: 500 * time.Millisecond,
		Remind: time.Second, First: 12 * time.Second, Urgent: 8 * time.Second, Call: 4 * time.Second}
	RealTimes = Times{Lease: 90 * time.Second, Provider: 20 * time.Second, StartWindow: 15 * time.Second, Reenqueue: time.Minute,
		Relay: time.Second, Reconcile: 15 * time.Second, Grace: 15 * time.Minute, Again: 5 * time.Minute, Breaker: 30 * time.Second,
		Remind: 5 * time.Minute, First: 24 * time.Hour, Urgent: 2 * time.Hour, Call: time.Hour}
)

// String is how a report prints them.
func (t Times) String() string {
	return fmt.Sprintf("lease %s, provider %s, start window %s, re-enqueue %s, relay every %s, reconcile every %s, grace %s, again after %s, breaker %s, reminders after %s, urgent %s",
		t.Lease, t.Provider, t.StartWindow, t.Reenqueue, t.Relay, t.Reconcile, t.Grace, t.Again, t.Breaker, t.First, t.Urgent)
}

// into writes them as settings of the product.
func (t Times) into(env map[string]string) {
	for name, wait := range map[string]time.Duration{"LEASE": t.Lease, "PROVIDER_TIMEOUT": t.Provider, "START_WINDOW": t.StartWindow,
		"REENQUEUE": t.Reenqueue, "RELAY_EVERY": t.Relay, "RECONCILE_EVERY": t.Reconcile, "LOOKUP_GRACE": t.Grace,
		"LOOKUP_AGAIN": t.Again, "BREAKER_PAUSE": t.Breaker, "FENCE_EVERY": 2 * time.Second, "ANCHOR_EVERY": 2 * time.Second} {
		env["TIME_"+name] = wait.String()
	}
	if t.First == 0 {
		return // the product's own: none comes within a run
	}
	for name, wait := range map[string]time.Duration{"REMIND_EVERY": t.Remind, "REMIND_FIRST": t.First, "REMIND_SECOND": t.First + 48*time.Hour,
		"REMIND_URGENT": t.Urgent, "CALL_AFTER": 24 * time.Hour, "CALL_URGENT": t.Call} {
		env["TIME_"+name] = wait.String()
	}
}

// remindsWithin says whether reminders come within a run, so that at rest each message that nobody opened must have had one.
func (t Times) remindsWithin() bool { return t.First > 0 && t.First < time.Hour }

// emptyWithin is the promise of I20: after the last fault nothing that is due waits for longer. What is unknown waits
// for evidence first, so its grace comes on top when it is longer than a moment.
const emptyWithin = 2 * time.Minute

func (t Times) unknownWithin() time.Duration {
	if t.Grace < time.Minute {
		return emptyWithin
	}
	return emptyWithin + t.Lease + t.Grace
}

// settle is how long coming to rest may take at most. A delivery that was refused a connection several times in a row
// waits longer and longer for its next attempt: that is not at rest, though nothing is due.
func (t Times) settle() time.Duration { return t.unknownWithin() + 3*time.Minute }
