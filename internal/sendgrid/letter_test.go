package sendgrid

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// A letter goes out as plain text, tracked by nobody, under its own id; what SendGrid reports of it is no delivery's.
func TestLetter(t *testing.T) {
	t.Parallel()
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		if strings.Contains(sent, "nobody@") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("X-Message-Id", "LRzXl_NHStOGhQ4kofSm_A")
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	key, public := newKey(t)
	c, err := New(Config{BaseURL: server.URL, APIKey: "key", From: "messages@clinic.test", WebhookKeys: []string{public}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if out := c.Letter(t.Context(), "notice-1", "ops@clinic.test", "Alert", "Look at it."); out.Class != clinic.OutcomeAccepted {
		t.Fatalf("the letter was %+v", out)
	}
	for _, want := range []string{`"letter":"notice-1"`, `"email":"ops@clinic.test"`, `"subject":"Alert"`, `"value":"Look at it."`, `"enable":false`} {
		if !strings.Contains(sent, want) {
			t.Errorf("%s is not in %s", want, sent)
		}
	}
	if strings.Contains(sent, "text/html") || strings.Contains(sent, `"d":`) {
		t.Errorf("it looks like a notice: %s", sent)
	}
	if out := c.Letter(t.Context(), "notice-2", "nobody@clinic.test", "Alert", "Look at it."); out.Class == clinic.OutcomeAccepted || out.Code == "" {
		t.Errorf("a letter that did not go: %+v", out)
	}
	body := `[{"event":"delivered","sg_event_id":"a","sg_message_id":"m","timestamp":1,"letter":"notice-1"},{"event":"delivered","sg_event_id":"b","sg_message_id":"n","timestamp":1}]`
	got, err := c.Receipts(webhook(sign(t, key, "1600112502", body), "1600112502"), []byte(body), uuid.Nil)
	if err != nil || len(got) != 1 || got[0].EventKey != "b" {
		t.Errorf("%d receipts, %v: %+v", len(got), err, got)
	}
}
