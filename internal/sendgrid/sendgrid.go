// Package sendgrid hands notices to SendGrid's v3 mail send, looks up what became of one where the account can be asked,
// and reads its signed event webhook.
//
// It knows SendGrid's formats and what its answers mean in our words (clinic.Outcome, clinic.Receipt). It does not
// know why a notice is sent, keeps nothing, and never sends twice: one call is one HTTP attempt, and the table of
// package wire says what that attempt came to. SendGrid honours no idempotency key, so none is set.
package sendgrid

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"
	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"countersign/internal/clinic"
	"countersign/internal/wire"
)

// Codes of outcomes beyond those of package wire.
const (
	CodeUnreadable = "unreadable"  // 2xx, but no message id: it may have been taken
	CodeBadAddress = "bad_address" // SendGrid refuses the recipient's address
	CodeCredits    = "credits"     // the plan is used up
	CodeSender     = "sender"      // the address we send from is not a verified one
)

var errNoList = errors.New("sendgrid: an answer without a list of messages")

// Config is an account at SendGrid.
type Config struct {
	BaseURL     string        // e.g. https://api.sendgrid.com
	APIKey      string        // never logged
	From        string        // the address that notices come from
	FromName    string        // the clinic's neutral name, may be empty
	WebhookKeys []string      // base64 of ECDSA public keys in DER: the current one and, while keys change, the previous one
	Timeout     time.Duration // of one attempt; 0 means 20 s
	Activity    bool          // the account has the Email Activity API, a paid extra, and the key may read it
}

// Client sends through one account. It is safe for concurrent use.
type Client struct {
	cfg       Config
	base      *url.URL
	transport *http.Transport
	keys      []*ecdsa.PublicKey
	pace      pace // of look-ups
}

// New checks the account's settings without calling anyone. It fails when the address is not absolute or a webhook key
// is not an ECDSA public key.
func New(cfg Config) (*Client, error) {
	base, err := wire.Base(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("sendgrid: %w", err)
	}
	if cfg.APIKey == "" || cfg.From == "" {
		return nil, errors.New("sendgrid: an account needs an API key and an address to send from")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 20 * time.Second
	}
	keys, err := webhookKeys(cfg.WebhookKeys)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, base: base, transport: wire.NewTransport(), keys: keys}, nil
}

// Name is the provider's name on deliveries and receipts.
func (c *Client) Name() string { return "sendgrid" }

// Close lets go of idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Send makes one attempt, of at most Config.Timeout. It does not begin after the parcel's StartBy.
func (c *Client) Send(ctx context.Context, p *clinic.Parcel) clinic.Outcome {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	request := sendgrid.GetRequest(c.cfg.APIKey, "/v3/mail/send", strings.TrimRight(c.base.String(), "/"))
	request.Method = rest.Post
	request.Body = mail.GetRequestBody(c.compose(p))
	trip := wire.NewTrip(ctx, c.transport, nil, p.StartBy)
	answer, err := (&rest.Client{HTTPClient: wire.Client(trip)}).SendWithContext(ctx, request)
	body := ""
	if err == nil {
		body = answer.Body
	}
	return outcome(trip.Evidence(), body, time.Now())
}

// outcome puts what is known about an attempt in our words.
func outcome(e wire.Evidence, body string, now time.Time) clinic.Outcome {
	out := clinic.Outcome{Code: e.Code, RetryAfter: wait(e, now)}
	switch e.Class {
	case wire.NotSent:
		out.Class = clinic.OutcomeNotSent
		out.Code = reason(e.Status, body, e.Code)
	case wire.Refused:
		out.Class = clinic.OutcomeFailed
		out.Code = reason(e.Status, body, e.Code)
	case wire.Answered:
		out.Class, out.ProviderID = clinic.OutcomeAccepted, messageID(e.Header.Get("X-Message-Id"))
		if out.ProviderID == "" {
			out.Class, out.Code = clinic.OutcomeUnknown, CodeUnreadable
		}
	default:
		out.Class = clinic.OutcomeUnknown
	}
	return out
}

// messageID is the part of SendGrid's message id that the answer and all later events share.
func messageID(id string) string {
	id, _, _ = strings.Cut(strings.TrimSpace(id), ".")
	return id
}

// compose writes the mail: one recipient, everything that would follow the reader switched off, and nothing in the
// arguments but our own random id and the attempt, because SendGrid keeps those for good.
func (c *Client) compose(p *clinic.Parcel) *mail.SGMailV3 {
	m := mail.NewV3Mail().SetFrom(mail.NewEmail(c.cfg.FromName, c.cfg.From))
	m.Subject = p.Subject
	to := mail.NewPersonalization()
	to.AddTos(mail.NewEmail("", p.To.Reveal()))
	m.AddPersonalizations(to)
	m.AddContent(mail.NewContent("text/plain", p.Body.Reveal()), mail.NewContent("text/html", htmlPart(p.Body.Reveal())))
	m.SetCustomArg("d", p.DeliveryID.String()).SetCustomArg("a", strconv.Itoa(p.Attempt))
	if p.StopURL != "" {
		m.SetHeader("List-Unsubscribe", "<"+p.StopURL+">").SetHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	return m.SetTrackingSettings(untracked())
}
