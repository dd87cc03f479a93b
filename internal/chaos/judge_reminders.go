package chaos

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// handed are the states of a notice that its provider took, and that nobody has opened: the checker's own copy.
var handed = []string{"accepted", "in_transit", "sent", "delivered"}

// remindersMost is how many there may be for one signature.
const remindersMost = 2

// noticeAt is the state in which a message's notice of a version was when a transaction was committed, and when it was handed over.
func (a *account) noticeAt(message uuid.UUID, version int, at time.Time) (state string, since time.Time) {
	for _, d := range a.notices[message] {
		if d.Version != version {
			continue
		}
		state, since = "", time.Time{}
		for _, s := range a.steps[d.ID] {
			if s.Committed.After(at) {
				continue
			}
			state = s.To
			if ranks[s.To] > 0 && since.IsZero() {
				since = s.At
			}
		}
	}
	return state, since
}

// claimedUnread: a reminder is claimed only while nobody has opened the message, in the order in which transactions committed, and
// for the signature that it was made under.
func (a *account) claimedUnread(r *Result, d Delivery, claim Step) {
	made, ok := a.lastSignature(d.MessageID, a.steps[d.ID][0].Committed)
	if last, _ := a.lastSignature(d.MessageID, claim.Committed); !ok || last.Tx != made.Tx {
		r.broken("reminder %s was claimed at rev %d for another signature than it was made under", d.ID, claim.Rev)
	}
	if state, _ := a.noticeAt(d.MessageID, d.Version, claim.Committed); ranks[state] >= ranks["opened"] {
		r.broken("reminder %s was claimed at rev %d, when its message was %s", d.ID, claim.Rev, state)
	}
}

// remindersHold: reminders are the job's, count from 1, and are one or two for a signature, each after its notice was handed over
// and in its time; and at rest no message that was handed over and not opened is forgotten. It returns how many there are.
func (a *account) remindersHold(r *Result) (n int) {
	wait := min(a.Times.First, a.Times.Urgent) - time.Second
	for message, list := range a.reminders {
		of := map[int]int{}
		for i, d := range list {
			n++
			of[d.Version]++
			if d.Round != i+1 {
				r.broken("message %s has reminders of rounds that do not count from 1: %d at place %d", message, d.Round, i+1)
			}
			path := a.steps[d.ID]
			if len(path) == 0 {
				continue // I11
			}
			state, since := a.noticeAt(message, d.Version, path[0].Committed)
			switch {
			case path[0].Deed != "reminder.make" || path[0].ActorKind != "worker":
				r.broken("reminder %s was made by %s of a %s", d.ID, path[0].Deed, path[0].ActorKind)
			case since.IsZero() || ranks[state] >= ranks["opened"]:
				r.broken("reminder %s was made when its message's notice was %q", d.ID, state)
			case a.Times.remindsWithin() && path[0].At.Sub(since) < wait:
				r.broken("reminder %s was made %s after the notice was handed over", d.ID, path[0].At.Sub(since))
			}
		}
		for version, count := range of {
			if count > remindersMost {
				r.broken("message %s has %d reminders of version %d", message, count, version)
			}
		}
	}
	if a.Times.remindsWithin() {
		a.noneForgotten(r)
	}
	return n
}

func (a *account) noneForgotten(r *Result) {
	for _, m := range a.Messages {
		list := a.notices[m.ID]
		if m.Status != "approved" || m.Opened || len(list) == 0 {
			continue
		}
		last := list[len(list)-1]
		reminded := slices.ContainsFunc(a.reminders[m.ID], func(d Delivery) bool { return d.Version == m.Version })
		if slices.Contains(handed, last.State) && !reminded && !a.FollowUps[m.ID].Called {
			r.broken("message %s was handed over and not opened, and there is no reminder and nobody to call", m.ID)
		}
	}
}
