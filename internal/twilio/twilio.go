// Package twilio hands notices to Twilio's Messages resource looks up what became of one, and reads its signed
// callbacks.
//
// It knows Twilio's formats and what its answers mean in our words (clinic.Outcome, clinic.Receipt). It does not know
// why a notice is sent, keeps nothing, and never sends twice: one call is one HTTP attempt, and the table of package
// wire says what that attempt came to. Of twilio-go only the client and one version of the REST API are used.
package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"countersign/internal/clinic"
	"countersign/internal/wire"
)

// CodeUnreadable is a 2xx without a message's id: it may have been taken.
const CodeUnreadable = "unreadable"

// longest is the longest validity period that Twilio takes, in seconds.
const longest = 36_000

// Config is an account at Twilio.
type Config struct {
	BaseURL       string        // e.g. https://api.twilio.com
	AccountSID    string        // AC…
	AuthToken     string        // never logged
	PreviousToken string        // still accepted on callbacks while tokens change; may be empty
	From          string        // a number, or a messaging service's MG… id
	PublicURL     string        // our own public address, which callbacks are signed for
	Timeout       time.Duration // of one attempt; 0 means 20 s
}

// Client sends through one account. It is safe for concurrent use.
type Client struct {
	cfg       Config
	base      *url.URL
	transport *http.Transport
	verifiers []client.RequestValidator
}

// New checks the account's settings without calling anyone. It fails when an address is not absolute or an account
// has no id, token or sender.
func New(cfg Config) (*Client, error) {
	base, err := wire.Base(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("twilio: %w", err)
	}
	if cfg.AccountSID == "" || cfg.AuthToken == "" || cfg.From == "" {
		return nil, errors.New("twilio: an account needs an id, a token and a sender")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 20 * time.Second
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	c := &Client{cfg: cfg, base: base, transport: wire.NewTransport()}
	for _, token := range []string{cfg.AuthToken, cfg.PreviousToken} {
		if token != "" {
			c.verifiers = append(c.verifiers, client.NewRequestValidator(token))
		}
	}
	return c, nil
}

// Name is the provider's name on deliveries and receipts.
func (c *Client) Name() string { return "twilio" }

// Close lets go of idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Send makes one attempt, of at most Config.Timeout. It does not begin after the parcel's StartBy.
func (c *Client) Send(ctx context.Context, p *clinic.Parcel) clinic.Outcome {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	trip := wire.NewTrip(ctx, c.transport, c.base, p.StartBy)
	message, err := c.service(trip).CreateMessage(c.compose(p, time.Now()))
	return outcome(trip.Evidence(), message, err)
}

// service is Twilio's API for one trip. Its calls take no context; the trip has it.
func (c *Client) service(trip *wire.Trip) *api.ApiService {
	account := &client.Client{Credentials: client.NewCredentials(c.cfg.AccountSID, c.cfg.AuthToken), HTTPClient: wire.Client(trip)}
	account.SetAccountSid(c.cfg.AccountSID)
	return api.NewApiService(&client.RequestHandler{Client: account}) // by hand: its constructor reads the environment
}

func (c *Client) compose(p *clinic.Parcel, now time.Time) *api.CreateMessageParams {
	params := new(api.CreateMessageParams).SetTo(p.To.Reveal()).SetBody(p.Body.Reveal()).SetValidityPeriod(validity(p.NotAfter, now))
	if p.CallbackURL != "" {
		params.SetStatusCallback(p.CallbackURL)
	}
	if strings.HasPrefix(c.cfg.From, "MG") {
		return params.SetMessagingServiceSid(c.cfg.From)
	}
	return params.SetFrom(c.cfg.From)
}

// validity is for how many seconds a message may wait at Twilio, so that none arrives when it is of no use any more.
func validity(notAfter, now time.Time) int {
	if notAfter.IsZero() {
		return longest
	}
	return min(max(int(notAfter.Sub(now)/time.Second), 1), longest)
}

// outcome puts what is known about an attempt in our words. The class comes from the HTTP answer and, within a 4xx, from
// Twilio's own number, which is also the code. Its texts are not kept: they may quote the number.
func outcome(e wire.Evidence, message *api.ApiV2010Message, err error) clinic.Outcome {
	out := clinic.Outcome{Code: e.Code, RetryAfter: e.RetryAfter}
	var said *client.TwilioRestError
	if errors.As(err, &said) && said.Code != 0 && e.Status != 0 {
		out.Code = strconv.Itoa(said.Code)
	}
	switch e.Class {
	case wire.NotSent, wire.Refused:
		out.Class = refusal(e.Class, out.Code)
	case wire.Answered:
		return answered(message, err)
	default:
		out.Class = clinic.OutcomeUnknown
	}
	return out
}

// later are limits that pass by themselves: the request was refused whole, with whatever status, and may be made again.
var later = map[string]bool{
	"14107": true, // many texts between two numbers within seconds
	"20429": true, // too many requests at once
	"21611": true, // too many texts wait for this sender
	"21730": true, // maintenance
	"60728": true, // the account's limit of an hour
	"63038": true, // the account's limit of a day
}

// refusal is the class of what certainly was not taken as asked. The number says more than the status, which is not the
// same for one number everywhere: 21xxx is about this very message and will not get better, so it must not be tried for
// days because it came with a 403.
func refusal(class wire.Class, code string) string {
	switch {
	case code == "20500", code == "20503": // an error of theirs, whatever the status
		return clinic.OutcomeUnknown
	case later[code], clinic.Configuration(code):
		return clinic.OutcomeNotSent
	case class == wire.NotSent && !strings.HasPrefix(code, "21"):
		return clinic.OutcomeNotSent
	}
	return clinic.OutcomeFailed
}

// answered reads a 2xx. A message that failed at once counts as failed here: no callback tells a first status.
func answered(message *api.ApiV2010Message, err error) clinic.Outcome {
	if err != nil || message == nil || message.Sid == nil || *message.Sid == "" {
		return clinic.Outcome{Class: clinic.OutcomeUnknown, Code: CodeUnreadable}
	}
	out := clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: *message.Sid}
	if message.Status != nil && *message.Status == "failed" {
		out.Class, out.Code = clinic.OutcomeFailed, "failed"
		if message.ErrorCode != nil && *message.ErrorCode != 0 {
			out.Code = strconv.Itoa(*message.ErrorCode)
		}
	}
	return out
}
