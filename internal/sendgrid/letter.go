package sendgrid

import (
	"context"
	"strings"
	"time"

	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"
	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"countersign/internal/clinic"
	"countersign/internal/wire"
)

// Letter sends plain text to people of the house, such as operators: one attempt, as Send. id is of the letter; what SendGrid
// reports of it is no delivery's, and Receipts leaves it out.
func (c *Client) Letter(ctx context.Context, id, to, subject, text string) clinic.Outcome {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	m := mail.NewV3Mail().SetFrom(mail.NewEmail(c.cfg.FromName, c.cfg.From))
	m.Subject = subject
	person := mail.NewPersonalization()
	person.AddTos(mail.NewEmail("", to))
	m.AddPersonalizations(person)
	m.AddContent(mail.NewContent("text/plain", text))
	m.SetCustomArg("letter", id)
	m.SetTrackingSettings(untracked())
	request := sendgrid.GetRequest(c.cfg.APIKey, "/v3/mail/send", strings.TrimRight(c.base.String(), "/"))
	request.Method = rest.Post
	request.Body = mail.GetRequestBody(m)
	trip := wire.NewTrip(ctx, c.transport, nil, time.Time{})
	answer, err := (&rest.Client{HTTPClient: wire.Client(trip)}).SendWithContext(ctx, request)
	body := ""
	if err == nil {
		body = answer.Body
	}
	return outcome(trip.Evidence(), body, time.Now())
}

// untracked switches off everything that would follow the reader.
func untracked() *mail.TrackingSettings {
	return mail.NewTrackingSettings().
		SetClickTracking(mail.NewClickTrackingSetting().SetEnable(false).SetEnableText(false)).
		SetOpenTracking(mail.NewOpenTrackingSetting().SetEnable(false)).
		SetSubscriptionTracking(mail.NewSubscriptionTrackingSetting().SetEnable(false)).
		SetGoogleAnalytics(mail.NewGaSetting().SetEnable(false))
}
