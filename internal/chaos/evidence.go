package chaos

import (
	"time"

	"github.com/google/uuid"
)

// Evidence is everything that the verdict is made of, gathered when all is at rest. Judge looks at nothing else.
type Evidence struct {
	Messages   []Message
	Deliveries []Delivery
	Attempts   []Attempt
	Steps      []Step
	Signatures []Signature
	FollowUps  map[uuid.UUID]FollowUp // by message
	Events     []Event
	Orphans    []Orphan
	AuditRows  int

	Accepted []Accepted // the sandbox's own log
	Told     []Told

	Ledger Ledger // what audit verify said

	Planted Planted
	Sinks   []Sink

	Memory  Memory
	Screens Screens
	Rest    Rest
	Times   Times
}

// Message is a row of messages, with the hash of its page's secret.
type Message struct {
	ID        uuid.UUID
	ClinicID  uuid.UUID
	Status    string
	Kind      string
	Version   int
	Signer    uuid.UUID
	Role      string // the signer's
	Submitter uuid.UUID
	PageHash  []byte
	Opened    bool // the page has been opened by a proof
}

// Delivery is a row of deliveries, opened.
type Delivery struct {
	ID         uuid.UUID
	ClinicID   uuid.UUID
	MessageID  uuid.UUID
	Version    int // of the message
	Kind       string
	Round      int
	Channel    string
	State      string
	Attempt    int
	Rev        int
	Provider   string
	ProviderID string
	Code       string
	Resends    int
	MarkedSent bool
	Recipient  string // what was sealed at approval
	Body       string
	Contact    string // what the patient's record was given when the run began
}

// FollowUp is what became of a message that nobody opened, as its row says.
type FollowUp struct {
	Called bool // somebody is to call, or it is over
}

// Attempt is a row of delivery_attempts.
type Attempt struct {
	DeliveryID uuid.UUID
	N          int
	Started    time.Time
	Finished   *time.Time
	Outcome    string
}

// Step is an audit event that carries a delivery's rev. Committed is when its transaction did, in the order in which
// transactions saw each other.
type Step struct {
	DeliveryID uuid.UUID
	Rev        int
	From, To   string
	Deed       string
	ActorKind  string
	At         time.Time
	Committed  time.Time
	Tx         uint32
}

// Signature is an audit event about a message: its approval, an undo, a withdrawal.
type Signature struct {
	MessageID uuid.UUID
	Deed      string
	Actor     uuid.UUID
	Role      string
	Committed time.Time
	Tx        uint32
}

// Event is a row of delivery_events.
type Event struct {
	Provider   string
	Key        string
	DeliveryID *uuid.UUID
	State      string
	Received   time.Time
}

// Orphan is an audit event whose subject is not there.
type Orphan struct {
	Deed, Kind string
	Subject    uuid.UUID
}

// Screens is what people can see, and what the alarm counts.
type Screens struct {
	Worklist map[uuid.UUID]bool // messages on a doctor's worklist
	Pages    map[uuid.UUID]bool // deliveries in trouble whose message's own page says so
	Gauges   []map[string]int   // by worker: the alarm's count of rows by state
}

// The states in which a row is at rest but a person has to know.
func troubled(state string) bool { return state == "needs_person" || state == "failed" }

// ranks orders evidence, as docs/ARCHITECTURE.md has it: the checker's own copy.
var ranks = map[string]int{"accepted": 1, "in_transit": 2, "sent": 3, "delivered": 4, "undelivered": 5, "opened": 6, "acknowledged": 7}

// legal says whether the path of a delivery may take this edge, if it was claimed before: the checker's own copy of the
// table. The edges of a restored database are not in it: none is restored here.
func legal(from, to string, claimed bool) bool {
	for _, edge := range []struct{ from, to string }{{"queued", "sending"}, {"queued", "cancelled"}, {"queued", "expired"}, {"queued", "refused"},
		{"sending", "queued"}, {"sending", "failed"}, {"sending", "unknown"}, {"unknown", "queued"}, {"unknown", "needs_person"}, {"unknown", "failed"},
		{"needs_person", "queued"}, {"needs_person", "failed"}} {
		if edge.from == from && edge.to == to {
			return true
		}
	}
	if ranks[from] == 0 {
		return claimed && ranks[to] > 0 // evidence wins wherever the row stands
	}
	return ranks[to] > ranks[from]
}
