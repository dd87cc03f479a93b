package twilio

import (
	"context"
	"strconv"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"countersign/internal/clinic"
	"countersign/internal/wire"
)

const (
	clockSlack = time.Minute // how far Twilio's clock, which counts whole seconds, may be from ours
	findMost   = 100         // messages to one number since the attempt; far more than a patient gets
)

var _ clinic.Finder = (*Client)(nil)

// Find lists what the account sent to the recipient since the attempt began, and looks for one that was created during
// the attempt with exactly this text. The list does not give the callback address back, so recipient, time and text
// are all there is; the text holds a link that no other message has.
//
// Not finding it is never conclusive: a message shows in the list when it is sent, which may be later, and with Message
// Redaction the list has no texts.
func (c *Client) Find(ctx context.Context, u clinic.Unknown) clinic.Found {
	out := clinic.Found{Class: clinic.FoundCannotAsk, Provider: c.Name()}
	if u.Channel != "sms" || u.To == "" || u.Body == "" {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	trip := wire.NewTrip(ctx, c.transport, c.base, time.Time{})
	params := new(api.ListMessageParams).SetTo(u.To.Reveal()).SetDateSentAfter(u.Since.Add(-clockSlack).UTC()).SetPageSize(findMost)
	page, err := c.service(trip).PageMessage(params, "", "")
	if err != nil || page == nil {
		if out.Code = trip.Evidence().Code; out.Code == "" {
			out.Code = CodeUnreadable
		}
		return out
	}
	out.Class = clinic.FoundNothing
	for _, m := range page.Messages {
		if same(m, u) {
			out.Class, out.ProviderID = clinic.FoundAccepted, *m.Sid
			out.State, out.Code = reached(m)
		}
	}
	return out
}

// same says whether a message of the list is the delivery that was asked for.
func same(m api.ApiV2010Message, u clinic.Unknown) bool {
	if m.Sid == nil || *m.Sid == "" || m.To == nil || *m.To != u.To.Reveal() || m.Body == nil || *m.Body != u.Body.Reveal() || m.DateCreated == nil {
		return false
	}
	created, err := time.Parse(time.RFC1123Z, *m.DateCreated)
	return err == nil && !created.Before(u.Since.Add(-clockSlack)) && !created.After(u.Until.Add(clockSlack))
}

// reached is the message's state in our words, with Twilio's number when it did not arrive.
func reached(m api.ApiV2010Message) (state, code string) {
	if m.Status != nil {
		state = states[*m.Status]
	}
	if state == "undelivered" {
		code = *m.Status
		if m.ErrorCode != nil && *m.ErrorCode != 0 {
			code = strconv.Itoa(*m.ErrorCode)
		}
	}
	return state, code
}
