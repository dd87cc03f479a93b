package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinictest"
)

// What was altered beneath us is one patient's trouble: it is somebody's to call, and the others are reminded as ever.
func TestOthersAreRemindedWhereOneIsAltered(t *testing.T) {
	t.Parallel()
	for column, sql := range map[string]string{
		"the link":      "UPDATE pages SET token_sealed = set_byte(token_sealed, 20, get_byte(token_sealed, 20) # 1) WHERE message_id = $1",
		"the recipient": "UPDATE deliveries SET recipient_sealed = set_byte(recipient_sealed, 20, get_byte(recipient_sealed, 20) # 1) WHERE message_id = $1",
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			altered, _ := sent(t, w, "email", "x1")
			w.Clock.Add(time.Second)
			whole, _ := sent(t, w, "email", "x2")
			remind(t, w)
			must(t, w.Exec(t, sql, altered))
			if done := passes(t, w, 24*time.Hour); done.Made != 1 || done.Calls != 1 {
				t.Errorf("the job came to %+v", done)
			}
			wantCount(t, w, 1, "reminders of the other", remindersMade+" AND message_id = $1", whole)
			page := callsOf(t, w, w.Staff, false)
			if len(page.Rows) != 1 || page.Rows[0].MessageID != altered || page.Rows[0].Why != "Not read, and what is kept of its notice was altered." {
				t.Errorf("to call: %+v", page.Rows)
			}
		})
	}
}
