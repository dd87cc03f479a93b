package clinic

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"countersign/internal/drafting"
)

// Parcel is one claimed delivery, ready to be handed to a provider. It lives in memory only.
type Parcel struct {
	DeliveryID  uuid.UUID
	Attempt     int
	Kind        string
	Channel     string // email or sms
	To          Text
	Subject     string // holds no clinical word
	Body        Text   // the exact notice that was sealed at approval
	StopURL     string // one-click unsubscribe, e-mail only
	CallbackURL string // where Twilio reports, sms only
	StartBy     time.Time
	DueAt       time.Time // since when it could have been sent
	NotAfter    time.Time
	clinicID    uuid.UUID
	doubted     bool // the channel's breaker wants to hear of a success, too
}

// Outcome classes: what one answer of a provider means. See docs/ARCHITECTURE.md for the table.
const (
	OutcomeAccepted = "accepted"
	OutcomeNotSent  = "not_sent"
	OutcomeFailed   = "failed"
	OutcomeUnknown  = "unknown"
)

// Outcome is what an adapter learnt from one attempt. Code is a word or a provider's number, never text.
type Outcome struct {
	Class      string
	ProviderID string
	Code       string
	RetryAfter time.Duration
}

// Sender hands a parcel to one provider: one HTTP attempt, no retries of its own.
type Sender interface {
	Name() string
	Send(ctx context.Context, p *Parcel) Outcome
}

// Receipt is one verified report of a provider about a delivery. State is one of our delivery states.
type Receipt struct {
	Provider   string
	EventKey   string    // the provider's own id of the event, or a hash of it: the same report twice has the same key
	ProviderID string    // the provider's id of the message
	DeliveryID uuid.UUID // Nil when the report does not carry it
	State      string
	Code       string
	At         time.Time
}

// Unknown is a delivery of which nobody knows whether it was sent, with what its provider can be asked by. It lives in
// memory only.
type Unknown struct {
	DeliveryID uuid.UUID // SendGrid's custom argument "d", and the end of Twilio's callback address
	Attempt    int
	Channel    string    // email or sms
	To, Body   Text      // both empty when the row does not open
	Since      time.Time // when its first attempt began: whichever went out, the notice did
	Until      time.Time // when its last attempt ended, or was given up
	clinicID   uuid.UUID
}

// What a look-up found.
const (
	FoundAccepted  = "accepted"
	FoundNothing   = "not_found"
	FoundCannotAsk = "cannot_ask" // no answer, or the provider offers no such question
)

// Found is what an adapter learnt from one look-up.
type Found struct {
	Class      string
	Provider   string
	ProviderID string // with FoundAccepted
	State      string // with FoundAccepted: how far it has come since, in our states; may be empty
	Code       string // a word or a number, never text: why nobody could be asked, or why it did not arrive
	Conclusive bool   // with FoundNothing: it was not taken, and never will be. Such a delivery is sent again
}

// Finder asks one provider whether it took a delivery: one HTTP attempt, which changes nothing there.
type Finder interface {
	Find(ctx context.Context, u Unknown) Found
}

// Assignment is one claimed draft request. The pseudonyms in its prompt never leave memory.
type Assignment struct {
	RequestID    uuid.UUID
	MessageID    uuid.UUID
	Attempt      int
	Prompt       drafting.Prompt
	Schema       json.RawMessage
	DueAt        time.Time // since when it could have been written
	clinicID     uuid.UUID
	patientID    uuid.UUID
	briefVersion int32
}

// Answer is what the model said, or why it did not. Tokens count whether or not the text can be used.
type Answer struct {
	Raw              string
	Model            string
	PromptTokens     int
	CompletionTokens int
	Code             string // "" when Raw is whole; else timeout, unreachable, refused, rate_limited, http_401, truncated …
	Retry            bool   // worth another attempt
}

// Model is the language model behind its adapter. words is called with the number of words so far.
type Model interface {
	Draft(ctx context.Context, a *Assignment, words func(int)) Answer
}

// Due is a row whose time has come: look at it now.
type Due struct {
	Deed     Deed
	ID       uuid.UUID
	Dispatch int
	Priority int
}
