package sendgrid

import (
	"context"
	"testing"

	"countersign/internal/clinic"
)

// SendGrid cannot be asked, and saying so is never taken for "not there".
func TestFind(t *testing.T) {
	t.Parallel()
	c, err := New(Config{BaseURL: "http://127.0.0.1:9", APIKey: "key", From: "a@clinic.test"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Find(context.Background(), clinic.Unknown{Channel: "email", To: "a@mail.example", Body: "x"}); got != (clinic.Found{Class: clinic.FoundCannotAsk, Provider: "sendgrid"}) {
		t.Errorf("got %+v", got)
	}
}
