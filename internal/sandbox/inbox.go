package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// inboxLimit is how many messages the inbox shows, newest first.
const inboxLimit = 200

// inboxActs are the buttons beside a message: what they make the provider say.
var inboxActs = map[string]func(s *Sandbox, ctx context.Context, m Message){
	"delivered": func(s *Sandbox, ctx context.Context, m Message) { s.say(ctx, m, "delivered", false) },
	"bounced":   func(s *Sandbox, ctx context.Context, m Message) { s.say(ctx, m, failureOf(m), false) },
	"late": func(s *Sandbox, ctx context.Context, m Message) {
		if pause(ctx, s.opt.LateDelay) {
			s.say(ctx, m, "delivered", false)
		}
	},
	"twice": (*Sandbox).repeat,
	"lie":   func(s *Sandbox, ctx context.Context, m Message) { s.say(ctx, m, failureOf(m), true) },
}

func failureOf(m Message) string {
	if m.Provider == sendgrid {
		return "bounce"
	}
	return "undelivered"
}

// inboxAct presses a button. It waits a moment, so that the page that follows shows what the app answered.
func (s *Sandbox) inboxAct(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("act")
	act, known := inboxActs[name]
	m, found := s.journal.find(r.PathValue("message"))
	if !known || !found {
		s.notFound(w, r)
		return
	}
	done := make(chan struct{})
	s.calls.start(func(ctx context.Context) {
		defer close(done)
		act(s, ctx, m)
	})
	select {
	case <-done:
	case <-time.After(1500 * time.Millisecond):
	case <-r.Context().Done():
	}
	http.Redirect(w, r, "/?"+url.Values{"said": {name}}.Encode()+"#m-"+m.ID, http.StatusSeeOther)
}

// say tells the app one more event of a message. A bounce after delivery comes without a message id, as SendGrid's
// asynchronous bounces do.
func (s *Sandbox) say(ctx context.Context, m Message, name string, forged bool) {
	if m.Provider == twilio {
		s.sayStatus(ctx, m, s.statusForm(m.Entry, name), forged)
		return
	}
	event := newMailEvent(m.Entry, name)
	if last, ok := m.last(); ok && last.Name == "delivered" && name == "bounce" {
		delete(event, "sg_message_id")
		delete(event, "smtp-id")
	}
	s.postMail(ctx, m.ID, []mailEvent{event}, forged)
}

func (s *Sandbox) sayStatus(ctx context.Context, m Message, form url.Values, forged bool) {
	if m.Callback == "" {
		s.journal.note(Event{Message: m.ID, Time: time.Now().UTC(), Name: form.Get("MessageStatus"), Lost: true, Forged: forged})
		return
	}
	s.postStatus(ctx, m.Entry, form, forged)
}

// repeat tells the last event again, with the same sg_event_id; before the first event it does nothing.
func (s *Sandbox) repeat(ctx context.Context, m Message) {
	last, ok := m.last()
	if !ok {
		return
	}
	if m.Provider == twilio {
		if form, err := url.ParseQuery(last.Payload); err == nil {
			s.sayStatus(ctx, m, form, false)
		}
		return
	}
	decoder := json.NewDecoder(strings.NewReader(last.Payload))
	decoder.UseNumber()
	var event mailEvent
	if decoder.Decode(&event) == nil {
		s.postMail(ctx, m.ID, []mailEvent{event}, false)
	}
}

// inboxJSON answers the messages as the page has them. Its ETag changes with every message and event.
func (s *Sandbox) inboxJSON(w http.ResponseWriter, r *http.Request) {
	messages, revision := s.journal.newest(inboxLimit, func(*Message) bool { return true })
	tag := fmt.Sprintf(`"%d"`, revision)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"revision": revision, "messages": messages})
}

// inboxView is the page: a box per phone or mailbox, the one with the newest message first.
type inboxView struct {
	App   string
	Said  string
	Boxes []*inboxBox
	Count int
}

type inboxBox struct {
	Recipient string
	Phone     bool
	Cards     []inboxCard
}

type inboxCard struct {
	Message
	Status      string
	Tone        string // of the chip
	Text        []textPart
	Unsubscribe string
}

// textPart is a run of text; Link is empty or the same text as an address.
type textPart struct{ Text, Link string }

var saidWords = map[string]string{
	"delivered": "The provider said: delivered.",
	"bounced":   "The provider said that the message came back.",
	"late":      "A delivered event follows later, after the pause of the late button.",
	"twice":     "The provider repeated its last event, with the same id.",
	"lie":       "A forged callback with a wrong signature was sent. The app must refuse it with 403.",
}

func (s *Sandbox) inboxPage(w http.ResponseWriter, r *http.Request) {
	messages, _ := s.journal.newest(inboxLimit, func(*Message) bool { return true })
	view := inboxView{App: s.opt.BaseURL, Said: saidWords[r.URL.Query().Get("said")], Count: len(messages)}
	boxes := map[string]*inboxBox{}
	for _, m := range messages {
		box := boxes[m.Recipient]
		if box == nil {
			box = &inboxBox{Recipient: m.Recipient, Phone: m.Provider == twilio}
			boxes[m.Recipient] = box
			view.Boxes = append(view.Boxes, box)
		}
		box.Cards = append(box.Cards, newCard(m))
	}
	s.page(w, http.StatusOK, "inbox", view)
}

func newCard(m Message) inboxCard {
	card := inboxCard{Message: m, Status: "accepted", Tone: "live", Text: linked(m.Body)}
	if e, ok := m.last(); ok {
		card.Status = e.Name
	}
	switch card.Status {
	case "delivered":
		card.Tone = "good"
	case "bounce", "dropped", "undelivered":
		card.Tone = "stop"
	}
	if found := listLink.FindStringSubmatch(m.Headers["List-Unsubscribe"]); found != nil {
		card.Unsubscribe = found[1]
	}
	return card
}

var (
	linkIn   = regexp.MustCompile(`https?://[^\s<>"]+`)
	listLink = regexp.MustCompile(`<(https?://[^>\s]+)>`)
)

// linked cuts a text into plain runs and addresses; punctuation after an address is not part of it.
func linked(text string) []textPart {
	var parts []textPart
	at := 0
	for _, span := range linkIn.FindAllStringIndex(text, -1) {
		link := strings.TrimRight(text[span[0]:span[1]], ".,;:!?)]'")
		if span[0] > at {
			parts = append(parts, textPart{Text: text[at:span[0]]})
		}
		parts = append(parts, textPart{Text: link, Link: link})
		at = span[0] + len(link)
	}
	if at < len(text) {
		parts = append(parts, textPart{Text: text[at:]})
	}
	return parts
}

// Words say an event as the page shows it.
func (e Event) Words() string {
	switch {
	case e.Forged && e.Answer == http.StatusForbidden:
		return "forged " + e.Name + ": the app refused it, 403"
	case e.Forged && e.Answer/100 == 2:
		return "forged " + e.Name + ": the app TOOK it, " + fmt.Sprint(e.Answer)
	case e.Forged:
		return fmt.Sprintf("forged %s: answer %d", e.Name, e.Answer)
	case e.Lost:
		return e.Name + ": the app was not told"
	case e.Answer == 0:
		return e.Name + ": no answer from the app yet"
	case e.Answer/100 == 2:
		return fmt.Sprintf("%s: the app took it, %d", e.Name, e.Answer)
	}
	return fmt.Sprintf("%s: the app answered %d", e.Name, e.Answer)
}
