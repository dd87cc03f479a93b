package chaos

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// record is a made-up run in which everything held, built delivery by delivery.
type record struct {
	Evidence
	at time.Time
	tx uint32
}

// id makes ids that are easy to tell apart.
func id(kind, n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("%08d-0000-7000-8000-%012d", kind, n))
}

func (r *record) tick() time.Time { r.at = r.at.Add(time.Second); return r.at }

// message adds an approved message with its notice, and returns the index of the notice.
func (r *record) message(n int) int {
	token := fmt.Sprintf("token-%d", n)
	hash := sha256.Sum256([]byte(token))
	r.tx++
	at := r.tick()
	r.Messages = append(r.Messages, Message{ID: id(1, n), ClinicID: id(9, 1), Status: "approved", Kind: "administrative", Version: 5, Signer: id(8, 1), Role: "doctor",
		Submitter: id(8, 2), PageHash: hash[:]})
	r.Signatures = append(r.Signatures, Signature{MessageID: id(1, n), Deed: "review.approve", Actor: id(8, 1), Role: "doctor", Committed: at, Tx: r.tx})
	r.Deliveries = append(r.Deliveries, Delivery{ID: id(2, n), ClinicID: id(9, 1), MessageID: id(1, n), Version: 5, Kind: "notice", Round: 1, Channel: "email", State: "queued", Rev: 1,
		Recipient: "ada@mail.example", Contact: "ada@mail.example", Body: "Read it: http://localhost/m/" + token + " please"})
	r.Steps = append(r.Steps, Step{DeliveryID: id(2, n), Rev: 1, To: "queued", Deed: "review.approve", ActorKind: "person", At: at, Committed: at, Tx: r.tx})
	r.Memory.Approved = append(r.Memory.Approved, Act{Subject: id(1, n), Version: 4})
	return len(r.Deliveries) - 1
}

// goes moves a delivery on, with its audit event.
func (r *record) goes(n int, deed string, states ...string) {
	d := &r.Deliveries[n]
	for _, to := range states {
		r.tx++
		at := r.tick()
		d.Rev++
		kind := "worker"
		switch deed {
		case "delivery.resend", "delivery.mark-sent":
			kind = "person"
		}
		r.Steps = append(r.Steps, Step{DeliveryID: d.ID, Rev: d.Rev, From: d.State, To: to, Deed: deed, ActorKind: kind, At: at, Committed: at, Tx: r.tx})
		d.State = to
		if to == "sending" {
			d.Attempt++
			r.Attempts = append(r.Attempts, Attempt{DeliveryID: d.ID, N: d.Attempt, Started: at})
		}
	}
}

// ends finishes the delivery's last attempt.
func (r *record) ends(outcome string) {
	at := r.tick()
	last := &r.Attempts[len(r.Attempts)-1]
	last.Finished, last.Outcome = &at, outcome
}

// taken is a provider that takes a delivery.
func (r *record) taken(n int) {
	d := &r.Deliveries[n]
	d.Provider, d.ProviderID = sendgrid, fmt.Sprintf("provider-%d", len(r.Accepted))
	r.Accepted = append(r.Accepted, Accepted{Provider: sendgrid, Delivery: d.ID.String(), Recipient: d.Recipient, Body: d.Body, ID: d.ProviderID})
}

// tells is a webhook that was taken.
func (r *record) tells(n int, name, state string) {
	d := r.Deliveries[n]
	key := fmt.Sprintf("event-%d", len(r.Events))
	r.Events = append(r.Events, Event{Provider: sendgrid, Key: key, DeliveryID: &r.Deliveries[n].ID, State: state, Received: r.tick()})
	r.Told = append(r.Told, Told{Message: d.ProviderID, N: len(r.Told), Name: name, Answer: 204, Payload: `{"sg_event_id":"` + key + `"}`})
	r.goes(n, "delivery.receive", state)
}

// The places of the deliveries in a clean record.
const (
	delivered = iota
	opened
	needsPerson
	failed
	undone
	resent
	marked
	kinds
	reminded = kinds // the reminder of what was delivered
)

// reminder adds a reminder of a message, which a provider took.
func (r *record) reminder(n int) int {
	r.tx++
	r.at = r.at.Add(time.Minute)
	at, d := r.tick(), r.Deliveries[n]
	d.ID, d.Kind, d.Round, d.State, d.Rev, d.Attempt, d.Provider, d.ProviderID = id(3, n), "reminder", 1, "queued", 1, 0, "", ""
	r.Deliveries = append(r.Deliveries, d)
	r.Steps = append(r.Steps, Step{DeliveryID: d.ID, Rev: 1, To: "queued", Deed: "reminder.make", ActorKind: "worker", At: at, Committed: at, Tx: r.tx})
	at2 := len(r.Deliveries) - 1
	r.goes(at2, "delivery.claim", "sending")
	r.taken(at2)
	r.ends("accepted")
	r.goes(at2, "delivery.record", "accepted")
	return at2
}

func clean() *record {
	r := &record{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r.Times, r.Rest = ShortTimes, Rest{Queue: time.Second, Unknown: 20 * time.Second, Whole: 25 * time.Second, Ended: true}
	r.Memory.Unknown, r.Memory.Refused = map[string]int{"approve": 2}, map[string]int{}
	for n := range kinds {
		r.message(n)
	}
	for _, n := range []int{delivered, opened} {
		r.goes(n, "delivery.claim", "sending")
		r.taken(n)
		r.ends("accepted")
		r.goes(n, "delivery.record", "accepted")
		r.tells(n, "delivered", "delivered")
	}
	r.goes(opened, "page.prove", "opened")
	r.Messages[opened].Opened = true
	r.Memory.Opened = []string{r.Deliveries[opened].ID.String()}

	for _, n := range []int{needsPerson, resent, marked} {
		r.goes(n, "delivery.claim", "sending")
		r.ends("unknown")
		r.goes(n, "delivery.record", "unknown")
		r.goes(n, "delivery.settle", "needs_person")
	}
	r.taken(resent) // it had been, which nobody knew
	r.goes(resent, "delivery.resend", "queued")
	r.goes(resent, "delivery.claim", "sending")
	r.taken(resent)
	r.ends("accepted")
	r.goes(resent, "delivery.record", "accepted")
	r.Deliveries[resent].Resends = 1
	r.Memory.Resent = []Act{{Subject: r.Deliveries[resent].ID, Version: 4}}
	r.goes(marked, "delivery.mark-sent", "accepted")
	r.Deliveries[marked].MarkedSent = true
	r.Memory.MarkedSent = []Act{{Subject: r.Deliveries[marked].ID, Version: 4}}

	r.goes(failed, "delivery.claim", "sending")
	r.ends("failed")
	r.goes(failed, "delivery.record", "failed")
	r.goes(undone, "message.undo", "cancelled")
	r.Signatures = append(r.Signatures, Signature{MessageID: id(1, undone), Deed: "message.undo", Actor: id(8, 1), Role: "doctor", Committed: r.at, Tx: r.tx})
	r.Messages[undone].Status, r.Messages[undone].Version = "in_review", 6
	r.Memory.Undone = []Act{{Subject: id(1, undone), Version: 5}}

	r.reminder(delivered)
	r.FollowUps = map[uuid.UUID]FollowUp{id(1, resent): {Called: true}, id(1, marked): {Called: true}}

	r.Planted = Planted{Marks: []mark{{"name", "ada winter"}}, Tokens: map[string]bool{"t": true}}
	r.Sinks = []Sink{{Name: "the log of web-1", Bytes: 1000}}
	r.AuditRows = len(r.Steps)
	r.Ledger.Events, r.Ledger.Leaves, r.Ledger.Anchors, r.Ledger.Anchored = int64(r.AuditRows), int64(r.AuditRows), 3, int64(r.AuditRows)
	r.Screens = Screens{Worklist: map[uuid.UUID]bool{id(1, needsPerson): true}, Pages: map[uuid.UUID]bool{id(2, failed): true},
		Gauges: []map[string]int{{"queued": 0, "sending": 0, "unknown": 0, "needs_person": 1, "failed": 1}}}
	r.Told = append(r.Told, Told{Message: "x", N: 90, Name: "bounce", Forged: true, Answer: 403, Payload: `{"sg_event_id":"forged"}`},
		Told{Message: "x", N: 91, Name: "delivered", Lost: true, Payload: `{"sg_event_id":"lost"}`})
	return r
}

func TestJudgeIsContentWithACleanRecord(t *testing.T) {
	t.Parallel()
	v := Judge(&clean().Evidence)
	if v.Broken() || len(v.Results) != 20 {
		for _, r := range v.Results {
			t.Log(r)
		}
		t.Errorf("broken: %v", v.Names())
	}
	for _, r := range v.Results {
		if r.NotYet != "" {
			t.Errorf("%s: %q", r.Name, r.NotYet)
		}
		if !strings.HasPrefix(r.String(), r.Name+" ") || strings.Contains(r.String(), "\n") {
			t.Errorf("a line is %q", r.String())
		}
	}
}

// step finds a step of a delivery by the state it leads to.
func (r *record) step(n int, to string) *Step {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.DeliveryID == r.Deliveries[n].ID && s.To == to })
	return &r.Steps[i]
}

// violations are ways in which a record can be spoilt, and the invariant that must notice.
var violations = map[string]struct {
	want   string
	tamper func(r *record)
}{
	"an approval without a notice":        {"I1", func(r *record) { r.Memory.Approved = append(r.Memory.Approved, Act{Subject: id(1, 77), Version: 4}) }},
	"an approval of another version":      {"I1", func(r *record) { r.Deliveries[delivered].Version = 4 }},
	"still queued":                        {"I2", func(r *record) { r.Deliveries[delivered].State = "queued" }},
	"still sending":                       {"I2", func(r *record) { r.Deliveries[delivered].State = "sending" }},
	"still unknown":                       {"I2", func(r *record) { r.Deliveries[needsPerson].State = "unknown" }},
	"accepted twice":                      {"I3", func(r *record) { r.taken(delivered) }},
	"accepted more often than sent again": {"I3", func(r *record) { r.taken(resent) }},
	"sent again by nobody":                {"I3", func(r *record) { r.Deliveries[delivered].Resends = 1 }},
	"sent again, and not counted":         {"I3", func(r *record) { r.Deliveries[resent].Resends = 0 }},
	"accepted by nobody":                  {"I4", func(r *record) { r.Accepted = r.Accepted[1:] }},
	"accepted by another id":              {"I4", func(r *record) { r.Deliveries[delivered].ProviderID = "another" }},
	"accepted without an id":              {"I4", func(r *record) { r.Deliveries[delivered].ProviderID = "" }},
	"marked as sent, and not known":       {"I4", func(r *record) { r.Deliveries[marked].MarkedSent = false }},
	"a send without a row":                {"I5", func(r *record) { r.Accepted[0].Delivery = id(2, 77).String() }},
	"a send for no delivery at all":       {"I5", func(r *record) { r.Accepted = append(r.Accepted, Accepted{Provider: twilio, ID: "x"}) }},
	"to somebody else":                    {"I6", func(r *record) { r.Accepted[0].Recipient = "bela@mail.example" }},
	"to an address nobody gave": {"I6", func(r *record) {
		r.Accepted[0].Recipient, r.Deliveries[delivered].Recipient = "x@mail.example", "x@mail.example"
	}},
	"other words": {"I6", func(r *record) { r.Accepted[0].Body += "!" }},
	"another message's link": {"I6", func(r *record) {
		r.Accepted[0].Body, r.Deliveries[delivered].Body = r.Deliveries[opened].Body, r.Deliveries[opened].Body
	}},
	"a page that is not the letter": {"I6", func(r *record) { r.Memory.Wrong = []string{"a page that is not the patient's letter"} }},
	"cancelled and sent":            {"I7", func(r *record) { r.taken(undone) }},
	"undone and not cancelled":      {"I7", func(r *record) { r.Memory.Undone[0].Subject = id(1, delivered) }},
	"undone and sent all the same": {"I7", func(r *record) {
		for i := range r.Steps {
			if r.Steps[i].DeliveryID == r.Deliveries[undone].ID && r.Steps[i].To == "cancelled" {
				r.Steps[i].To = "sending"
			}
		}
	}},
	"withdrawn and not so":             {"I7", func(r *record) { r.Memory.Withdrawn = []Act{{Subject: id(1, delivered)}} }},
	"failed and sent":                  {"I8", func(r *record) { r.taken(failed) }},
	"expired and sent":                 {"I8", func(r *record) { r.Deliveries[delivered].State = "expired" }},
	"claimed after the undo":           {"I9", func(r *record) { r.goes(undone, "delivery.claim", "sending") }},
	"claimed before the approval":      {"I9", func(r *record) { r.step(delivered, "sending").Committed = time.Time{} }},
	"approved by staff":                {"I9", func(r *record) { r.Signatures[delivered].Role = "staff" }},
	"a clinical message by a reviewer": {"I9", func(r *record) { r.Signatures[delivered].Role, r.Messages[delivered].Kind = "reviewer", "clinical" }},
	"a reviewer's own submission":      {"I9", func(r *record) { r.Signatures[delivered].Role, r.Messages[delivered].Submitter = "reviewer", id(8, 1) }},
	"made by another approval":         {"I9", func(r *record) { r.Signatures[delivered].Tx = 999 }},
	"reminded of what was opened": {"I9", func(r *record) {
		r.step(reminded, "sending").Committed = r.at.Add(time.Hour)
		r.goes(delivered, "page.prove", "opened")
	}},
	"reminded under another signature": {"I9", func(r *record) {
		r.Signatures = append(r.Signatures, Signature{MessageID: id(1, delivered), Deed: "review.approve", Actor: id(8, 1), Role: "doctor",
			Committed: r.step(reminded, "sending").Committed, Tx: 998})
	}},
	"a reminder that no job made":            {"I10", func(r *record) { r.step(reminded, "queued").Deed = "delivery.retry" }},
	"a reminder too early":                   {"I10", func(r *record) { r.step(reminded, "queued").At = r.step(delivered, "accepted").At.Add(time.Second) }},
	"a reminder of what was not handed over": {"I10", func(r *record) { r.step(reminded, "queued").Committed = r.step(delivered, "sending").Committed }},
	"reminders with a gap":                   {"I10", func(r *record) { r.Deliveries[reminded].Round = 2 }},
	"three reminders": {"I10", func(r *record) {
		for n := range 2 {
			d := r.Deliveries[reminded]
			d.ID, d.Round = id(3, 50+n), 2+n
			r.Deliveries = append(r.Deliveries, d)
		}
	}},
	"nobody reminded":                               {"I10", func(r *record) { delete(r.FollowUps, id(1, marked)) }},
	"a reminder that two providers took":            {"I3", func(r *record) { r.taken(reminded) }},
	"an opening by a reminder's link that was lost": {"I17", func(r *record) { r.Memory.Opened = append(r.Memory.Opened, r.Deliveries[reminded].ID.String()) }},
	"approved without a notice":                     {"I10", func(r *record) { r.Messages[delivered].Version = 6 }},
	"two live rounds": {"I10", func(r *record) {
		d := r.Deliveries[delivered]
		d.Round, d.ID = 2, id(2, 50)
		r.Deliveries = append(r.Deliveries, d)
	}},
	"rounds with a gap":                    {"I10", func(r *record) { r.Deliveries[delivered].Round = 2 }},
	"a live notice of a message in review": {"I10", func(r *record) { r.Messages[delivered].Status = "in_review" }},
	"a change without an audit event":      {"I11", func(r *record) { r.Deliveries[delivered].Rev++ }},
	"an audit event too many":              {"I11", func(r *record) { s := *r.step(delivered, "accepted"); s.Rev = 9; r.Steps = append(r.Steps, s) }},
	"the same rev twice":                   {"I11", func(r *record) { r.step(delivered, "accepted").Rev = 2 }},
	"evidence of what was never claimed":   {"I12", func(r *record) { r.goes(undone, "delivery.receive", "accepted") }},
	"an illegal edge":                      {"I12", func(r *record) { r.goes(delivered, "delivery.receive", "accepted") }},
	"a path that jumps":                    {"I12", func(r *record) { r.step(delivered, "delivered").From = "sent" }},
	"a path that ends elsewhere":           {"I12", func(r *record) { r.Deliveries[delivered].State = "opened" }},
	"a path that begins elsewhere":         {"I12", func(r *record) { r.step(delivered, "queued").To = "sending" }},
	"an audit event about nothing":         {"I13", func(r *record) { r.Orphans = []Orphan{{Deed: "review.approve", Kind: "message", Subject: id(1, 77)}} }},
	"an attempt too few":                   {"I14", func(r *record) { r.Attempts = r.Attempts[1:] }},
	"attempts that overlap":                {"I14", func(r *record) { late := r.at.Add(time.Hour); r.attempt(resent, 1).Finished = &late }},
	"attempts that do not count from 1":    {"I14", func(r *record) { r.Attempts[0].N = 2 }},
	"two accepted attempts":                {"I15", func(r *record) { a := r.Attempts[0]; a.N = 2; r.Attempts = append(r.Attempts, a) }},
	"on no screen":                         {"I16", func(r *record) { delete(r.Screens.Worklist, id(1, needsPerson)) }},
	"a failure on no screen":               {"I16", func(r *record) { delete(r.Screens.Pages, id(2, failed)) }},
	"an alarm that counts wrong":           {"I16", func(r *record) { r.Screens.Gauges[0]["needs_person"] = 0 }},
	"an alarm without a figure":            {"I16", func(r *record) { delete(r.Screens.Gauges[0], "failed") }},
	"no alarm":                             {"I16", func(r *record) { r.Screens.Gauges = nil }},
	"a webhook taken and not stored":       {"I17", func(r *record) { r.Events = r.Events[1:] }},
	"a webhook stored twice":               {"I17", func(r *record) { r.Events = append(r.Events, r.Events[0]) }},
	"a webhook that nobody told":           {"I17", func(r *record) { r.Events[0].Key = "made up" }},
	"a forgery taken":                      {"I17", func(r *record) { r.Told[len(r.Told)-2].Answer = 204 }},
	"a forgery stored":                     {"I17", func(r *record) { r.Events = append(r.Events, Event{Provider: sendgrid, Key: "forged"}) }},
	"a rank that fell":                     {"I17", func(r *record) { r.goes(delivered, "delivery.receive", "in_transit") }},
	"a webhook applied twice":              {"I17", func(r *record) { r.goes(delivered, "delivery.receive", "opened") }},
	"an event that did not count":          {"I17", func(r *record) { r.Events[0].State = "undelivered" }},
	"an opening that was lost":             {"I17", func(r *record) { r.Memory.Opened = append(r.Memory.Opened, id(2, delivered).String()) }},
	"patient text in a log":                {"I19", func(r *record) { r.Sinks[0].Found = []string{"name"} }},
	"nothing planted":                      {"I19", func(r *record) { r.Planted = Planted{} }},
	"nowhere looked":                       {"I19", func(r *record) { r.Sinks = nil }},
	"due for too long":                     {"I20", func(r *record) { r.Rest.Queue = 121 * time.Second }},
	"due for ever":                         {"I20", func(r *record) { r.Rest.Queue = 0 }},
	"unknown for too long":                 {"I20", func(r *record) { r.Rest.Unknown = 121 * time.Second }},
	"never at rest":                        {"I20", func(r *record) { r.Rest.Ended = false }},
}

// Each invariant catches what it is for.
func TestJudgeCatchesEachViolation(t *testing.T) {
	t.Parallel()
	for name, tt := range violations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := clean()
			tt.tamper(r)
			if names := Judge(&r.Evidence).Names(); !slices.Contains(names, tt.want) {
				t.Errorf("%s is due, broken: %v", tt.want, names)
			}
		})
	}
}

func (r *record) attempt(n, count int) *Attempt {
	i := slices.IndexFunc(r.Attempts, func(a Attempt) bool { return a.DeliveryID == r.Deliveries[n].ID && a.N == count })
	return &r.Attempts[i]
}

// What a person chose, and what had no answer, is counted apart and breaks nothing.
func TestJudgeCountsApart(t *testing.T) {
	t.Parallel()
	r := clean()
	r.Times = RealTimes
	r.Rest.Unknown = 17 * time.Minute // evidence has a quarter of an hour, and then two minutes
	v := Judge(&r.Evidence)
	for i, words := range map[int]string{1: "2 approvals without an answer", 3: "1 row a person chose to send again, 1 of them then accepted twice",
		4: "1 row a person marked as sent, 1 of which no provider took"} {
		if !strings.Contains(v.Results[i-1].String(), words) {
			t.Errorf("%q does not say %q", v.Results[i-1], words)
		}
	}
	if v.Broken() {
		t.Errorf("broken: %v", v.Names())
	}
}

// Every edge of the table in ARCHITECTURE, and no other.
func TestLegalEdges(t *testing.T) {
	t.Parallel()
	for edge, want := range map[[2]string]bool{{"queued", "accepted"}: true, {"cancelled", "delivered"}: true, {"queued", "sending"}: true, {"sending", "delivered"}: true, {"unknown", "undelivered"}: true, {"needs_person", "queued"}: true,
		{"failed", "opened"}: true, {"delivered", "undelivered"}: true, {"undelivered", "opened"}: true, {"accepted", "acknowledged"}: true,
		{"queued", "unknown"}: false, {"delivered", "sent"}: false, {"opened", "undelivered"}: false, {"cancelled", "sending"}: false,
		{"failed", "queued"}: false, {"accepted", "queued"}: false, {"acknowledged", "opened"}: false} {
		if legal(edge[0], edge[1], true) != want {
			t.Errorf("%s -> %s is legal: %v, want %v", edge[0], edge[1], !want, want)
		}
		if ranks[edge[0]] == 0 && ranks[edge[1]] > 0 && legal(edge[0], edge[1], false) {
			t.Errorf("%s -> %s is legal for what was never claimed", edge[0], edge[1])
		}
	}
}
