package web

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// undecided is a message whose notice nobody knows to be sent, and its delivery, which needs a person.
func undecided(t testing.TB, s *site) (message, delivery, rev string) {
	t.Helper()
	ctx, c, worker := context.Background(), s.world.Clinic, clinic.WorkerActor("test")
	id := s.world.Approved(t, s.world.Patient, "email")
	delivery = s.world.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1", id)[0]
	p, err := c.DeliveryClaim(ctx, worker, uuid.MustParse(delivery))
	if err != nil || p == nil {
		t.Fatal(err)
	}
	if err := c.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeUnknown, Code: "timeout"}); err != nil {
		t.Fatal(err)
	}
	s.world.Clock.Add(15 * time.Minute)
	rows, err := c.DeliveryReconcile(ctx, worker, 10)
	if err != nil || len(rows) != 1 {
		t.Fatal(len(rows), err)
	}
	if err := c.DeliverySettle(ctx, worker, rows[0], clinic.Found{Class: clinic.FoundCannotAsk}); err != nil {
		t.Fatal(err)
	}
	return id.String(), delivery, strconv.Itoa(s.world.Count(t, "SELECT rev FROM deliveries WHERE id = $1", delivery))
}

// Both buttons stand on the message while a person is needed, each with what it means, and go away afterwards.
func TestDeliverySettle(t *testing.T) {
	t.Parallel()
	for act, said := range map[string]string{"resend": "The notice goes out again.", "mark-sent": "Recorded as sent, on your word."} {
		s := newSite(t)
		message, delivery, rev := undecided(t, s)
		path := "/deliveries/" + delivery + "/" + act
		staff := s.as(t, s.world.Staff)
		staff.wants(staff.get("/"), 200, "decide", "/messages/"+message)
		staff.wants(staff.get("/messages/"+message), 200, "The provider cannot be asked about it.", `action="`+path+`"`,
			"The patient may get the same notice twice.", "your name stands beside it", `name="version" value="`+rev+`"`)
		stranger := s.as(t, s.world.Doctor2)
		stranger.wants(stranger.post(path, "version", rev), 404)
		auditor := s.as(t, s.world.Auditor)
		auditor.wants(auditor.post(path, "version", rev), 403, "Your role does not include")
		staff.wants(staff.post("/deliveries/"+uuid.NewString()+"/"+act, "version", rev), 404)
		staff.wants(staff.post(path), 409, "Nothing was changed", `id="message-timeline"`)
		staff.goes(staff.post(path, "version", rev), "/messages/"+message)
		after := staff.get("/messages/" + message)
		staff.wants(after, 200, said, "Tom Reyes")
		if strings.Contains(after.Body.String(), path) {
			t.Errorf("%s can be pressed again", act)
		}
		staff.wants(staff.post(path, "version", rev), 409, "This notice has moved on")
	}
}

// What is too old to be sent again says so, and can still be marked.
func TestDeliverySettleTooLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	message, delivery, rev := undecided(t, s)
	s.world.Clock.Add(72 * time.Hour)
	doctor := s.as(t, s.world.Doctor)
	page := doctor.get("/messages/" + message)
	doctor.wants(page, 200, "It is too late to send it again.", "/mark-sent")
	if strings.Contains(page.Body.String(), "/resend") {
		t.Error("the button is there")
	}
	doctor.wants(doctor.post("/deliveries/"+delivery+"/resend", "version", rev), 409, "is over")
}
