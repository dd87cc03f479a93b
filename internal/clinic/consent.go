package clinic

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// stopWords and startWords are what carriers require to be understood, alone and in any case.
var (
	stopWords  = []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPT OUT"}
	startWords = []string{"START", "YES", "UNSTOP"}
)

// stoppedCode is Twilio's word for "this number has answered STOP": news for the ledger, not only a failure.
const stoppedCode = "21610"

// replyMeans reads an inbound SMS: "out", "in", or nothing.
func replyMeans(words string) string {
	words = strings.ToUpper(strings.Join(strings.Fields(strings.Trim(words, " .!\r\n\t")), " "))
	switch {
	case slices.Contains(stopWords, words):
		return "out"
	case slices.Contains(startWords, words):
		return "in"
	}
	return ""
}

// consent adds a line to the ledger unless its last line says the same. What an inbound text says is added all the same, so that it
// is known when the provider tells it again.
func (t *tx) consent(ctx context.Context, address []byte, channel, status, source, reply string) error {
	last, err := t.ConsentLast(ctx, db.ConsentLastParams{ClinicID: t.clinicID(), AddressIndex: address})
	if err != nil || last == status && reply == "" {
		return err
	}
	n, err := t.ConsentAppend(ctx, db.ConsentAppendParams{ID: newID(), ClinicID: t.clinicID(), AddressIndex: address, Channel: channel, Status: status,
		Source: source, Wording: "notice-1", At: t.at, Reply: reply})
	if err == nil && n > 0 && last != status {
		t.detail["consent"], t.detail["source"] = status, source
	}
	return err
}

// PageStop opts the address that got this delivery's link out of notices, by one click and without proof (RFC 8058). The links of
// older mails name no delivery: the last notice's address is meant. What is unknown answers as what is known does.
func (c *Clinic) PageStop(ctx context.Context, a Actor, token string, delivery uuid.UUID) error {
	err := c.do(ctx, a.asPatient(), PageStop, Subject{Kind: "page"}, func(t *tx) error {
		pg, _, err := t.pageByToken(ctx, token)
		if err != nil {
			return err
		}
		d, err := t.DeliveryToStop(ctx, db.DeliveryToStopParams{MessageID: &pg.MessageID, ClinicID: pg.ClinicID, ID: delivery})
		if err != nil {
			return found(err)
		}
		return t.consent(ctx, d.RecipientIndex, d.Channel, "out", "one_click", "")
	})
	if KindOf(err) == NotFound {
		return nil
	}
	return err
}

// Reply is an inbound SMS.
type Reply struct {
	ID    string // the provider's
	From  string // a number
	Words string
}

// ConsentReply records an inbound SMS that opts a number out or in, in every clinic that has or had the number on
// file. Other words change nothing and are not kept, and a text that the provider tells again changes nothing.
func (c *Clinic) ConsentReply(ctx context.Context, a Actor, r Reply) error {
	if !a.Can(ConsentReply) {
		return c.do(ctx, a, ConsentReply, Subject{Kind: "consent"}, nil)
	}
	status := replyMeans(r.Words)
	if status == "" {
		return nil
	}
	index := c.keys.Index("address", phoneKey(r.From))
	clinics, err := db.New(c.pool).ClinicsOfAddress(ctx, index)
	if err != nil {
		return err
	}
	for _, clinic := range clinics {
		a.ClinicID = clinic
		if err := c.do(ctx, a, ConsentReply, Subject{Kind: "consent"}, func(t *tx) error { return t.consent(ctx, index, "sms", status, "sms", r.ID) }); err != nil {
			return err
		}
	}
	return nil
}
