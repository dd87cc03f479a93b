package sendgrid

import (
	"context"

	"countersign/internal/clinic"
)

var _ clinic.Finder = (*Client)(nil)

// Find asks nobody. SendGrid tells what it took only through its Email Activity API, a paid extra that an account may
// not have; a late event, or a person, settles what is not known.
func (c *Client) Find(context.Context, clinic.Unknown) clinic.Found {
	return clinic.Found{Class: clinic.FoundCannotAsk, Provider: c.Name()}
}
