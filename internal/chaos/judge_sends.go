package chaos

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// I1: an acknowledged approval has a delivery.
func i1(a *account) (r Result) {
	for _, act := range a.Memory.Approved {
		if !slices.ContainsFunc(a.notices[act.Subject], func(d Delivery) bool { return d.Version == act.Version+1 }) {
			r.broken("message %s: approved at version %d, as HTTP said, and there is no notice of it", act.Subject, act.Version)
		}
	}
	unknown := a.Memory.Unknown["approve"]
	r.Checked, r.Held = counted(len(a.Memory.Approved), "acknowledged approval"), "each with its notice"
	if unknown > 0 {
		r.Apart = counted(unknown, "approval") + " without an answer, of which either is right"
	}
	return r
}

// I2: at rest nothing is queued, sending or unknown.
func i2(a *account) (r Result) {
	count := map[string]int{}
	for _, d := range a.Deliveries {
		count[d.State]++
		if slices.Contains([]string{"queued", "sending", "unknown"}, d.State) {
			r.broken("delivery %s is %s (attempt %d, %s)", d.ID, d.State, d.Attempt, d.Code)
		}
	}
	var words []string
	for _, state := range []string{"queued", "sending", "unknown", "needs_person", "accepted", "in_transit", "sent", "delivered", "opened", "acknowledged",
		"undelivered", "failed", "refused", "cancelled", "expired"} {
		if count[state] > 0 {
			words = append(words, fmt.Sprintf("%d %s", count[state], state))
		}
	}
	r.Checked = counted(len(a.Deliveries), "row") + " at rest: " + strings.Join(words, ", ")
	return r
}

// I3: at most one acceptance by a provider per row, unless a person chose to send again.
func i3(a *account) (r Result) {
	again, twice, chosen := 0, 0, map[string]int{}
	for _, s := range a.Steps {
		if s.Deed == "delivery.resend" && s.ActorKind == "person" {
			chosen[s.DeliveryID.String()]++
		}
	}
	for _, d := range a.Deliveries {
		sends := a.sends(d)
		if d.Resends != chosen[d.ID.String()] {
			r.broken("delivery %s counts %d times that a person sent it again, the trail has %d", d.ID, d.Resends, chosen[d.ID.String()])
		}
		if sends > 1+d.Resends {
			r.broken("delivery %s was accepted %d times by providers, and people sent it again %d times", d.ID, sends, d.Resends)
		}
		if d.Resends > 0 {
			again++
			if sends > 1 {
				twice++
			}
		}
	}
	for _, act := range a.Memory.Resent {
		if a.deliveries[act.Subject].Resends == 0 {
			r.broken("delivery %s: a person sent it again, as HTTP said, and the row does not count it", act.Subject)
		}
	}
	r.Checked, r.Held = counted(len(a.Deliveries), "delivery"), "0 accepted twice"
	if again > 0 {
		r.Apart = fmt.Sprintf("%s a person chose to send again, %d of them then accepted twice", counted(again, "row"), twice)
	}
	return r
}

// I4: accepted and beyond means exactly that send. What a person marked as sent is counted apart.
func i4(a *account) (r Result) {
	sent, marked, without := 0, 0, 0
	for _, d := range a.Deliveries {
		if ranks[d.State] == 0 {
			continue
		}
		taken := a.taken[d.ID.String()]
		match := slices.ContainsFunc(taken, func(t Accepted) bool { return t.ID == d.ProviderID && t.Provider == d.Provider })
		switch {
		case d.MarkedSent && len(taken) == 0:
			marked, without = marked+1, without+1
		case d.MarkedSent && d.ProviderID == "":
			marked++
		case len(taken) == 0:
			r.broken("delivery %s is %s, and no provider ever took it", d.ID, d.State)
		case !match && d.ProviderID != "":
			r.broken("delivery %s is %s by the id %s of %s, which took it by other ids", d.ID, d.State, d.ProviderID, d.Provider)
		case d.ProviderID == "" && d.State != "opened" && d.State != "acknowledged": // a patient's proof needs no provider's word
			r.broken("delivery %s is %s without a provider's id", d.ID, d.State)
		default:
			sent++
		}
	}
	for _, act := range a.Memory.MarkedSent {
		if !a.deliveries[act.Subject].MarkedSent {
			r.broken("delivery %s: a person said that it was sent, as HTTP said, and the row does not know", act.Subject)
		}
	}
	r.Checked, r.Held = counted(sent, "row")+" accepted or beyond", "each by a provider's own account"
	if marked > 0 {
		r.Apart = fmt.Sprintf("%s a person marked as sent, %d of which no provider took", counted(marked, "row"), without)
	}
	return r
}

// I5: every send has a row.
func i5(a *account) (r Result) {
	known := map[string]bool{}
	for _, d := range a.Deliveries {
		known[d.ID.String()] = true
	}
	for _, t := range a.Accepted {
		if !known[t.Delivery] {
			r.broken("%s took %s for delivery %q, which is no row", t.Provider, t.ID, t.Delivery)
		}
	}
	r.Checked, r.Held = counted(len(a.Accepted), "send")+" in the providers' log", "each with its row"
	return r
}

// I6: body and recipient are the approved bytes: those sealed at approval, at the address the patient gave, with the
// link to the page of that very message.
func i6(a *account) (r Result) {
	for _, t := range a.Accepted {
		d, ok := a.byName(t.Delivery)
		if !ok {
			continue // I5
		}
		at := link.FindStringSubmatch(t.Body)
		switch {
		case t.Recipient != d.Recipient || t.Recipient != d.Contact:
			r.broken("delivery %s went to another address than the approved one", d.ID)
		case t.Body != d.Body:
			r.broken("delivery %s went out with other words than the approved ones", d.ID)
		case at == nil:
			r.broken("delivery %s has no link", d.ID)
		default:
			hash := sha256.Sum256([]byte(strings.TrimPrefix(at[1], "/m/")))
			if !bytes.Equal(hash[:], a.messages[d.MessageID].PageHash) {
				r.broken("delivery %s leads to another message's page", d.ID)
			}
		}
	}
	for _, words := range a.Memory.Wrong {
		r.broken("%s", words)
	}
	r.Checked = fmt.Sprintf("%s, %s read by their patients", counted(len(a.Accepted), "send"), counted(len(a.Memory.Opened), "page"))
	r.Held = "byte for byte as approved"
	return r
}

// byName finds a delivery by what a provider knows it by.
func (a *account) byName(name string) (Delivery, bool) {
	id, err := uuid.Parse(name)
	d, ok := a.deliveries[id]
	return d, ok && err == nil
}

// I7: cancelled means no send; and an undo or a withdrawal that was acknowledged holds.
func i7(a *account) (r Result) {
	cancelled, apart := 0, 0
	for _, d := range a.Deliveries {
		if d.State != "cancelled" {
			continue
		}
		cancelled++
		switch sends := a.sends(d); {
		case sends > d.Resends:
			r.broken("delivery %s is cancelled, and was accepted %d times", d.ID, sends)
		case sends > 0:
			apart++
		}
	}
	for _, act := range a.Memory.Undone {
		if !a.stopped(act) {
			r.broken("message %s: version %d was undone, as HTTP said, and its notice was not stopped", act.Subject, act.Version)
		}
	}
	for _, act := range a.Memory.Withdrawn {
		if a.messages[act.Subject].Status != "withdrawn" {
			r.broken("message %s was withdrawn, as HTTP said, and is %s", act.Subject, a.messages[act.Subject].Status)
		}
	}
	r.Checked = fmt.Sprintf("%d cancelled, %d undone and %d withdrawn as HTTP said", cancelled, len(a.Memory.Undone), len(a.Memory.Withdrawn))
	r.Held = "0 sends"
	if apart > 0 {
		r.Apart = counted(apart, "row") + " that a person sent again after a first send"
	}
	return r
}

// I8: failed, refused and expired mean no acceptance.
func i8(a *account) (r Result) {
	count, apart := map[string]int{}, 0
	for _, d := range a.Deliveries {
		if !slices.Contains([]string{"failed", "refused", "expired"}, d.State) {
			continue
		}
		count[d.State]++
		switch sends := a.sends(d); {
		case sends > d.Resends:
			r.broken("delivery %s is %s (%s), and was accepted %d times", d.ID, d.State, d.Code, sends)
		case sends > 0:
			apart++
		}
	}
	r.Checked, r.Held = fmt.Sprintf("%d failed, %d refused, %d expired", count["failed"], count["refused"], count["expired"]), "0 accepted"
	if apart > 0 {
		r.Apart = counted(apart, "row") + " that a person sent again after a first send"
	}
	return r
}

// stopped says whether the last notice of the version that was undone had come to nothing when the undo was committed: by
// the undo itself, or before it, which is when a message is taken back to be signed again.
func (a *account) stopped(undone Act) bool {
	var notice uuid.UUID
	for _, d := range a.notices[undone.Subject] {
		if d.Version == undone.Version {
			notice = d.ID
		}
	}
	path := a.steps[notice]
	if len(path) == 0 {
		return false
	}
	undos := a.signatures[undone.Subject]
	i := slices.IndexFunc(undos, func(s Signature) bool { return s.Deed == "message.undo" && s.Committed.After(path[0].Committed) })
	if i < 0 {
		return false
	}
	state := ""
	for _, step := range path {
		if !step.Committed.After(undos[i].Committed) {
			state = step.To
		}
	}
	return slices.Contains([]string{"cancelled", "failed", "refused", "undelivered", "expired"}, state)
}
