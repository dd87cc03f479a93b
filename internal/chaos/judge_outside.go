package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// I16: every delivery that needs a person, and every failed one, is on a screen and alarmed.
func i16(a *account) (r Result) {
	listed, paged, count := 0, 0, map[string]int{}
	for _, d := range a.Deliveries {
		if d.Kind == "notice" || d.State != "failed" { // what failed of reminders comes as a task to call
			count[d.State]++
		}
		if !troubled(d.State) {
			continue
		}
		switch {
		case a.Screens.Worklist[d.MessageID]:
			listed++
		case a.Screens.Pages[d.ID]:
			paged++
		default:
			r.broken("delivery %s is %s, and no screen shows it", d.ID, d.State)
		}
	}
	if len(a.Screens.Worklist) == 0 && paged > 0 {
		r.broken("%s in trouble, and nothing on any worklist", counted(paged, "delivery"))
	}
	if len(a.Screens.Gauges) == 0 {
		r.broken("no worker tells the alarm anything")
	}
	for i, gauge := range a.Screens.Gauges {
		for _, state := range []string{"queued", "sending", "unknown", "needs_person", "failed"} {
			if told, ok := gauge[state]; !ok || told != count[state] {
				r.broken("worker-%d tells the alarm of %d %s (told at all: %v), there are %d", i+1, told, state, ok, count[state])
			}
		}
	}
	r.Checked = fmt.Sprintf("%d need a person, %d failed: %d on a worklist, %d beyond its fifty or withdrawn and on their message's page",
		count["needs_person"], count["failed"], listed, paged)
	r.Held = fmt.Sprintf("and %s tell the alarm the same", counted(len(a.Screens.Gauges), "worker"))
	return r
}

// I17: a webhook applies once, and never downgrades.
func i17(a *account) (r Result) {
	rows, told := map[string]int{}, map[string]bool{}
	for _, v := range a.Events {
		rows[v.Provider+" "+v.Key]++
	}
	taken, forged := 0, 0
	for _, t := range a.Told {
		key := t.key()
		switch {
		case t.Forged && t.taken():
			r.broken("a forged event was taken: %s of %s", t.Name, t.Message)
		case t.Forged:
			forged++
			if rows[key] > 0 && !a.honest(key) {
				r.broken("a forged event was stored: %s of %s", t.Name, t.Message)
			}
		case t.taken():
			taken++
			if rows[key] != 1 {
				r.broken("%s of %s was taken, and is stored %d times", t.Name, t.Message, rows[key])
			}
		}
		told[key] = true
	}
	for key := range rows {
		if !told[key] {
			r.broken("an event is stored that no provider told: %s", key)
		}
	}
	a.ranksHold(&r)
	r.Checked = fmt.Sprintf("%s taken of %d told, %d stored, %d forged", counted(taken, "webhook"), len(a.Told), len(rows), forged)
	r.Held = "each once; no forgery was, no rank fell, no opening was lost"
	return r
}

// key is what an event is known by: its own id, or a hash where the provider gives none. It is worked out here again,
// from the bytes that were posted.
func (t Told) key() string {
	if strings.HasPrefix(t.Payload, "{") {
		var event struct {
			ID string `json:"sg_event_id"`
		}
		_ = json.Unmarshal([]byte(t.Payload), &event)
		return sendgrid + " " + event.ID
	}
	form, _ := url.ParseQuery(t.Payload)
	code := ""
	if status := form.Get("MessageStatus"); status == "undelivered" || status == "failed" {
		code = form.Get("ErrorCode")
	}
	sum := sha256.Sum256([]byte(form.Get("MessageSid") + ":" + form.Get("MessageStatus") + ":" + code))
	return twilio + " " + hex.EncodeToString(sum[:])
}

// honest says whether the same event was also told by the provider itself: Twilio's have no id of their own.
func (a *account) honest(key string) bool {
	return slices.ContainsFunc(a.Told, func(t Told) bool { return !t.Forged && t.key() == key })
}

// ranksHold: no step takes a delivery back, and its state is not below what is known of it.
func (a *account) ranksHold(r *Result) {
	opened := map[uuid.UUID]bool{}
	for _, id := range a.Memory.Opened {
		parsed, err := uuid.Parse(id)
		if d := a.deliveries[parsed]; d.Kind == "reminder" { // its link is the notice's, and what is opened is the message
			list := a.notices[d.MessageID]
			parsed = list[len(list)-1].ID
		}
		if err == nil {
			opened[parsed] = true
		}
	}
	for _, d := range a.Deliveries {
		moves := 0
		for _, s := range a.steps[d.ID] {
			if ranks[s.From] > 0 && ranks[s.To] < ranks[s.From] {
				r.broken("delivery %s fell from %s to %s at rev %d", d.ID, s.From, s.To, s.Rev)
			}
			if s.Deed == "delivery.receive" {
				moves++
			}
		}
		if moves > len(a.events[d.ID]) {
			r.broken("delivery %s moved %d times by %d events", d.ID, moves, len(a.events[d.ID]))
		}
		for _, v := range a.events[d.ID] {
			if ranks[v.State] > ranks[d.State] {
				r.broken("delivery %s is %s, and its provider said %s", d.ID, d.State, v.State)
			}
		}
		if opened[d.ID] && ranks[d.State] < ranks["opened"] {
			r.broken("delivery %s is %s, and its patient has read the page", d.ID, d.State)
		}
	}
}

// I18: the audit ledger verifies against the anchors that were taken during the run.
func i18(a *account) (r Result) {
	l := a.Ledger
	if l.Failed != "" {
		r.broken("the ledger could not be checked: %s", l.Failed)
	}
	for _, f := range l.Findings {
		r.broken("%s", f.Words)
	}
	if l.Failed == "" && (l.Anchors == 0 || l.Anchored == 0) {
		r.broken("no anchor was taken that the ledger agrees with")
	}
	if l.Failed == "" && l.Events < int64(a.AuditRows) {
		r.broken("%d events were verified, and the trail has %d", l.Events, a.AuditRows)
	}
	r.Checked = fmt.Sprintf("%d events, %d sealed, %d waiting, %d checkpoints, %d anchors", l.Events, l.Leaves, l.Waiting, l.Checkpoints, l.Anchors)
	r.Held = fmt.Sprintf("%d leaves under an anchor from outside", l.Anchored)
	return r
}

// I19: nothing that is known of a patient, nothing that was written to them and no secret of their page is in any place
// but the sealed columns.
func i19(a *account) (r Result) {
	total := 0
	for _, s := range a.Sinks {
		total += s.Bytes
		if len(s.Found) > 0 {
			r.broken("%s: %s", s.Name, strings.Join(s.Found, ", "))
		}
	}
	if len(a.Planted.Marks) == 0 || len(a.Planted.Tokens) == 0 || total == 0 {
		r.broken("nothing was planted, or nothing was looked through")
	}
	r.Checked = fmt.Sprintf("%d marks and %d secrets of pages looked for in %d places, %.1f MB", len(a.Planted.Marks), len(a.Planted.Tokens), len(a.Sinks), float64(total)/1e6)
	r.Held = "none found"
	return r
}

// I20: after the last fault nothing that is due waits for longer than two minutes, and what is unknown no longer than
// evidence may take on top.
func i20(a *account) (r Result) {
	rest := a.Rest
	if rest.Queue == 0 || rest.Queue > emptyWithin {
		r.broken("what was due after the last fault was gone after %s, where %s is the promise", never(rest.Queue), emptyWithin)
	}
	if rest.Unknown == 0 || rest.Unknown > a.Times.unknownWithin() {
		r.broken("what was unknown after the last fault was settled after %s, where %s is the promise", never(rest.Unknown), a.Times.unknownWithin())
	}
	if !rest.Ended {
		r.broken("not at rest after %s", seconds(rest.Whole))
	}
	r.Checked = fmt.Sprintf("nothing due after %s, nothing unknown after %s, all told and still after %s", never(rest.Queue), never(rest.Unknown), seconds(rest.Whole))
	return r
}

func never(d time.Duration) string {
	if d == 0 {
		return "no time at all that it was watched"
	}
	return seconds(d)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
