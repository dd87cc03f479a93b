package clinic

import (
	"slices"
	"time"
)

// Unread are the waits after which somebody does something about a message that was handed over and that nobody has opened.
type Unread struct {
	First  time.Duration // from the notice to the first reminder
	Second time.Duration // from the notice to the second
	Call   time.Duration // from the last reminder to the call task

	Urgent     time.Duration // the one reminder of an urgent message
	UrgentCall time.Duration
}

// waits are those of a priority: when the reminders go, counted from the notice, and how long the last of them has.
func (u Unread) waits(priority int32) (reminders []time.Duration, call time.Duration) {
	if priority == urgent {
		return []time.Duration{u.Urgent}, u.UrgentCall
	}
	return []time.Duration{u.First, u.Second}, u.Call
}

// unreadAfter is after how long a message counts as unread, from when its notice was handed over.
func unreadAfter(priority int32) time.Duration {
	switch Priorities[priority] {
	case "urgent":
		return 2 * time.Hour
	case "high":
		return 24 * time.Hour
	}
	return 72 * time.Hour
}

// lookAgain is how long the job waits for what may change at any time: a notice that is not handed over yet, or a reminder of
// which nobody has said that it arrived.
func (u Unread) lookAgain(priority int32) time.Duration {
	reminders, _ := u.waits(priority)
	return reminders[0] / 24
}

// handedOver are the states of a notice that its provider took, and that nobody has opened.
var handedOver = []string{"accepted", "in_transit", "sent", "delivered"}

// inVain are the states of a reminder that did not get anywhere, or of which nobody knows it.
var inVain = []string{"needs_person", "failed", "refused", "undelivered", "expired", "cancelled"}

// following is what one look at an unread message decides by.
type following struct {
	priority  int32
	notice    string     // the state of its last notice
	handedAt  time.Time  // when that was handed over
	reminders int        // that were made
	remindAt  *time.Time // when the last of them was
	reminder  string     // the state of the last of them
	expires   time.Time  // when the link ends
	why       string     // why no reminder may go, if none may
}

// step is what comes of a look.
type step struct {
	remind bool
	call   string     // why somebody is to call, if that is so
	due    *time.Time // when to look again; nil: never
}

// follow is the rule: one or two reminders, each in its time and none when it would be in vain, and then a call. It depends on
// nothing else, so that a second look at the same moment comes to the same.
func (u Unread) follow(f following, now time.Time) step {
	again := now.Add(u.lookAgain(f.priority))
	ended := !f.expires.After(now)
	if !slices.Contains(handedOver, f.notice) {
		if ended {
			return step{} // it never got anywhere, which is on another list
		}
		return step{due: &again}
	}
	reminders, call := u.waits(f.priority)
	switch at := u.next(f, reminders, call); {
	case f.reminders > 0 && slices.Contains(inVain, f.reminder):
		return step{call: "reminder_failed"}
	case ended:
		return step{call: "link_expired"}
	case at.After(now):
		if f.reminders > 0 && f.reminder != "delivered" {
			at = firstOf(at, again)
		}
		return step{due: ptr(firstOf(at, f.expires))}
	case f.reminders >= len(reminders):
		return step{call: "unread"}
	case f.why != "":
		return step{call: f.why}
	}
	return step{remind: true, due: ptr(firstOf(again, f.expires))}
}

// next is when the next reminder goes, or the call is asked for. After an outage a second reminder does not come on the heels of
// the first.
func (u Unread) next(f following, reminders []time.Duration, call time.Duration) time.Time {
	if f.reminders >= len(reminders) {
		if f.remindAt == nil {
			return f.handedAt
		}
		return f.remindAt.Add(call)
	}
	at := f.handedAt.Add(reminders[f.reminders])
	if f.remindAt != nil {
		if soonest := f.remindAt.Add(reminders[0]); soonest.After(at) {
			return soonest
		}
	}
	return at
}

// firstOf is the earlier of two moments.
func firstOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
