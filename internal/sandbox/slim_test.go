package sandbox

import (
	"fmt"
	"testing"
	"time"
)

// What only the inbox shows is let go of once the inbox cannot show it any more, and the log keeps it.
func TestOldMessagesAreSlim(t *testing.T) {
	t.Parallel()
	j, err := openJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	for i := range keptWhole + 1 {
		e := Entry{Time: time.Now(), Provider: sendgrid, ID: fmt.Sprint(i), Recipient: "rosa@home.example", Body: "text", HTML: "<p>", Args: map[string]string{"d": "x"}}
		if err := j.accept(e); err != nil {
			t.Fatal(err)
		}
		j.note(Event{Message: e.ID, Name: "processed", Payload: "{}"})
	}
	j.note(Event{Message: "0", Name: "delivered", Payload: "{}"})
	if old := j.messages[0]; old.HTML != "" || old.Args["d"] != "x" || old.Body != "text" || len(old.Events) != 2 || old.Events[0].Payload != "" || old.Events[1].Payload != "" {
		t.Errorf("the oldest message is kept as %+v", old)
	}
	if first := j.messages[1]; first.HTML == "" || first.Events[0].Payload == "" {
		t.Errorf("a message that the inbox may show is kept as %+v", first)
	}
}
