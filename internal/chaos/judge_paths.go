package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// I9: at the claim, a notice's message was approved, in the same version, by someone who might. The order is that in
// which transactions committed.
func i9(a *account) (r Result) {
	claims, reminders := 0, 0
	for id, steps := range a.steps {
		d := a.deliveries[id]
		for _, s := range steps {
			if s.To != "sending" {
				continue
			}
			claims++
			if d.Kind == "reminder" {
				reminders++
				a.claimedUnread(&r, d, s)
			}
			last, ok := a.lastSignature(d.MessageID, s.Committed)
			switch m := a.messages[d.MessageID]; {
			case !ok || last.Deed != "review.approve":
				r.broken("delivery %s was claimed at rev %d, when its message was not approved (%s)", id, s.Rev, last.Deed)
			case d.Kind == "notice" && last.Tx != steps[0].Tx:
				r.broken("delivery %s was claimed at rev %d for an approval that is not the one it was made by", id, s.Rev)
			case last.Role != "doctor" && last.Role != "reviewer", last.Role != "doctor" && (m.Kind == "clinical" || last.Actor == m.Submitter):
				r.broken("delivery %s: its message was approved by a %s, who might not", id, last.Role)
			}
		}
	}
	r.Checked = fmt.Sprintf("%s, %d of reminders", counted(claims, "claim"), reminders)
	r.Held = "each of a message that was approved at that moment by who might, and no reminder of one that had been opened"
	return r
}

// lastSignature is what was decided last about a message before a moment.
func (a *account) lastSignature(message uuid.UUID, before time.Time) (last Signature, ok bool) {
	for _, s := range a.signatures[message] {
		if !s.Committed.After(before) {
			last, ok = s, true
		}
	}
	return last, ok
}

// I10: an approved message has one notice per round, of its own version, and one live round at most.
func i10(a *account) (r Result) {
	approved, rounds := 0, 0
	dead := []string{"cancelled", "expired", "failed", "refused", "undelivered"}
	for _, m := range a.Messages {
		notices := a.notices[m.ID]
		live, current := 0, 0
		for i, d := range notices {
			if d.Round != i+1 {
				r.broken("message %s has notices of rounds that do not count from 1: %d at place %d", m.ID, d.Round, i+1)
			}
			if !slices.Contains(dead, d.State) {
				live++
				if i < len(notices)-1 {
					r.broken("message %s: round %d of %d is still %s", m.ID, d.Round, len(notices), d.State)
				}
			}
			if d.Version == m.Version {
				current++
			}
		}
		rounds = max(rounds, len(notices))
		if live > 1 {
			r.broken("message %s has %d live rounds", m.ID, live)
		}
		if m.Status == "approved" {
			approved++
			if current != 1 {
				r.broken("message %s is approved at version %d, and has %d notices of it", m.ID, m.Version, current)
			}
		}
		if m.Status != "approved" && m.Status != "withdrawn" && live > 0 {
			r.broken("message %s is %s, and has a live notice", m.ID, m.Status)
		}
	}
	reminders := a.remindersHold(&r)
	r.Checked = fmt.Sprintf("%s approved, up to %s, %s", counted(approved, "message"), counted(rounds, "round"), counted(reminders, "reminder"))
	r.Held = "each with one notice of its version, no reminder too many and none forgotten"
	return r
}

// I11: the audit events of a delivery match its rev, without a gap.
func i11(a *account) (r Result) {
	for _, d := range a.Deliveries {
		var revs []int
		for _, s := range a.steps[d.ID] {
			revs = append(revs, s.Rev)
		}
		slices.Sort(revs)
		for i := range max(d.Rev, len(revs)) {
			if i >= len(revs) || i >= d.Rev || revs[i] != i+1 {
				r.broken("delivery %s is at rev %d, its audit events have %v", d.ID, d.Rev, revs)
				break
			}
		}
	}
	r.Checked, r.Held = fmt.Sprintf("%s with %s", counted(len(a.Deliveries), "row"), counted(len(a.Steps), "audit event")), "no gap"
	return r
}

// I12: the audit path is legal and ends in the state.
func i12(a *account) (r Result) {
	for _, d := range a.Deliveries {
		state, claimed := "", false
		for i, s := range a.steps[d.ID] {
			switch {
			case i == 0 && (s.From != "" || s.To != "queued"):
				r.broken("delivery %s begins with %s -> %s", d.ID, s.From, s.To)
			case i > 0 && s.From != state:
				r.broken("delivery %s: the trail goes to %s, and on from %s at rev %d", d.ID, state, s.From, s.Rev)
			case i > 0 && !legal(s.From, s.To, claimed):
				r.broken("delivery %s: %s -> %s at rev %d by %s is no edge", d.ID, s.From, s.To, s.Rev, s.Deed)
			}
			state, claimed = s.To, claimed || s.To == "sending"
		}
		if state != d.State {
			r.broken("delivery %s is %s, its trail ends in %q", d.ID, d.State, state)
		}
	}
	r.Checked, r.Held = counted(len(a.Steps)-len(a.Deliveries), "step"), "all on legal edges, each path ending in its row's state"
	return r
}

// I13: no audit event without its subject.
func i13(a *account) (r Result) {
	for _, o := range a.Orphans {
		r.broken("%s is on the trail about %s %s, which is not there", o.Deed, o.Kind, o.Subject)
	}
	r.Checked, r.Held = counted(a.AuditRows, "audit event"), "each about something that is there"
	return r
}

// I14: attempts are numbered from 1, as many as the row counts, and never overlap.
func i14(a *account) (r Result) {
	open, late := 0, 0
	for _, d := range a.Deliveries {
		list := a.attempts[d.ID]
		if len(list) != d.Attempt {
			r.broken("delivery %s counts %d attempts and has %d", d.ID, d.Attempt, len(list))
		}
		for i, t := range list {
			if t.N != i+1 {
				r.broken("delivery %s: attempt %d stands at place %d", d.ID, t.N, i+1)
			}
			if t.Finished == nil {
				open++
			}
			if i == 0 {
				continue
			}
			switch before := list[i-1]; {
			case before.Finished == nil || !t.Started.Before(*before.Finished):
			case before.Outcome == "accepted" && d.Resends > 0: // its end was put on record when its acceptance became known
				late++
			default:
				r.broken("delivery %s: attempt %d began at %s, before attempt %d had ended at %s", d.ID, t.N, clock(t.Started), before.N, clock(*before.Finished))
			}
		}
	}
	r.Checked, r.Held = counted(len(a.Attempts), "attempt"), "numbered, none overlapping"
	if open > 0 {
		r.Apart = counted(open, "attempt") + " whose own end was never recorded: evidence settled them"
	}
	return r
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// I15: at most one accepted attempt.
func i15(a *account) (r Result) {
	accepted, apart := 0, 0
	for _, d := range a.Deliveries {
		n := 0
		for _, t := range a.attempts[d.ID] {
			if t.Outcome == "accepted" {
				n++
			}
		}
		accepted += n
		if n > 1+d.Resends {
			r.broken("delivery %s has %d accepted attempts", d.ID, n)
		} else if n > 1 {
			apart++
		}
	}
	r.Checked, r.Held = counted(accepted, "accepted attempt"), "one a row at most"
	if apart > 0 {
		r.Apart = counted(apart, "row") + " a person chose to send again"
	}
	return r
}
