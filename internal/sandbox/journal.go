package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Entry is one line of /log: a request that a provider accepted. It is ground truth: written before the answer, never
// changed, and written even if the answer is then lost by a fault.
type Entry struct {
	Time      time.Time         `json:"time"`
	Provider  string            `json:"provider"`
	Delivery  string            `json:"delivery"` // custom_args.d, or the last path segment of StatusCallback
	Recipient string            `json:"recipient"`
	Body      string            `json:"body"` // the notice's text; for openai the messages of the prompt
	ID        string            `json:"id"`   // the provider's own id
	From      string            `json:"from,omitempty"`
	Subject   string            `json:"subject,omitempty"`
	HTML      string            `json:"html,omitempty"`
	Args      map[string]string `json:"args,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Callback  string            `json:"callback,omitempty"`
}

// Event is what a provider says happened to a message, and what the app answered when it was told.
type Event struct {
	Message string    `json:"message"`
	N       int       `json:"n"`
	Time    time.Time `json:"time"`
	Name    string    `json:"name"`              // delivered, bounce, undelivered …
	Answer  int       `json:"answer,omitempty"`  // the app's HTTP status; 0 while there is none
	Lost    bool      `json:"lost,omitempty"`    // a fault kept it from the app
	Forged  bool      `json:"forged,omitempty"`  // signed wrongly on purpose; it did not happen
	Payload string    `json:"payload,omitempty"` // what was posted: a JSON object, or a form
}

// Message is an accepted notice and its events, oldest first.
type Message struct {
	Entry
	Events  []Event `json:"events"`
	slimmed bool
}

// journal is the sandbox's memory: two append-only files and their image. A line is written whole before the call
// returns, so that a killed process loses nothing it has answered for.
type journal struct {
	mu       sync.Mutex
	dir      string
	logFile  *os.File
	evFile   *os.File
	messages []*Message
	byID     map[string]*Message
	byTo     map[string][]*Message // by recipient, oldest first
	lean     int                   // how many of the oldest messages are kept without what only the inbox shows
	revision int
	closed   bool
}

const (
	logFile    = "log.ndjson"
	eventsFile = "events.ndjson"
)

// keptWhole is how many of the newest messages keep all that the inbox shows and its buttons need. Of older ones the
// files know the rest.
const keptWhole = 5 * inboxLimit

func openJournal(dir string) (*journal, error) {
	j := &journal{dir: dir, byID: map[string]*Message{}, byTo: map[string][]*Message{}}
	logPath, evPath := filepath.Join(dir, logFile), filepath.Join(dir, eventsFile)
	err := errors.Join(
		eachLine(logPath, func(line []byte) {
			var e Entry
			if json.Unmarshal(line, &e) == nil {
				j.remember(e)
			}
		}),
		eachLine(evPath, func(line []byte) {
			var e Event
			if json.Unmarshal(line, &e) == nil {
				j.apply(e)
			}
		}))
	if err == nil {
		j.logFile, err = openAppend(logPath)
	}
	if err == nil {
		j.evFile, err = openAppend(evPath)
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox: log: %w", err)
	}
	return j, nil
}

func eachLine(path string, do func([]byte)) error {
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range bytes.Lines(raw) {
		do(line)
	}
	return nil
}

// openAppend opens for appending and cuts off a last line that a killed process left half written.
func openAppend(path string) (*os.File, error) {
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return f, f.Truncate(int64(bytes.LastIndexByte(raw, '\n') + 1))
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	return errors.Join(j.logFile.Close(), j.evFile.Close())
}

// accept writes entries to the log and remembers those that are messages to a patient.
func (j *journal) accept(entries ...Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines bytes.Buffer
	for _, e := range entries {
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			return err
		}
	}
	if _, err := j.logFile.Write(lines.Bytes()); err != nil {
		return err
	}
	for _, e := range entries {
		j.remember(e)
	}
	return nil
}

func (j *journal) remember(e Entry) {
	if e.Provider == openai {
		return
	}
	m := &Message{Entry: e, Events: []Event{}}
	j.messages = append(j.messages, m)
	j.byID[e.ID] = m
	j.byTo[e.Recipient] = append(j.byTo[e.Recipient], m)
	j.revision++
	for ; len(j.messages)-j.lean > keptWhole; j.lean++ {
		j.messages[j.lean].slim()
	}
}

// slim lets go of what is only for the inbox.
func (m *Message) slim() {
	m.slimmed, m.HTML, m.Headers = true, "", nil
	for i := range m.Events {
		m.Events[i].Payload = ""
	}
}

// note adds an event to its message and returns it with its number.
func (j *journal) note(e Event) Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	if m := j.byID[e.Message]; m != nil {
		e.N = len(m.Events)
		j.write(e)
	}
	return e
}

// answered keeps what the app said to an event.
func (j *journal) answered(e Event, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Answer = status
	j.write(e)
}

func (j *journal) write(e Event) {
	j.apply(e)
	if line, err := json.Marshal(e); err == nil {
		j.evFile.Write(append(line, '\n')) // events are told anyway; only the inbox's memory would be short of one
	}
}

func (j *journal) apply(e Event) {
	m := j.byID[e.Message]
	if m == nil || e.N < 0 || e.N > len(m.Events) {
		return
	}
	if m.slimmed {
		e.Payload = ""
	}
	if e.N == len(m.Events) {
		m.Events = append(m.Events, e)
	} else {
		m.Events[e.N] = e
	}
	j.revision++
}

func (j *journal) find(id string) (Message, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.byID[id]
	if m == nil {
		return Message{}, false
	}
	return m.copy(), true
}

// newest returns up to limit messages that keep says yes to, newest first, and the revision they show.
func (j *journal) newest(limit int, keep func(*Message) bool) ([]Message, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return newestOf(j.messages, limit, keep), j.revision
}

// newestTo is newest among the messages to one recipient: it looks at no other.
func (j *journal) newestTo(recipient string, limit int, keep func(*Message) bool) []Message {
	j.mu.Lock()
	defer j.mu.Unlock()
	return newestOf(j.byTo[recipient], limit, keep)
}

func newestOf(messages []*Message, limit int, keep func(*Message) bool) []Message {
	found := []Message{}
	for _, m := range slices.Backward(messages) {
		if len(found) == limit {
			break
		}
		if keep(m) {
			found = append(found, m.copy())
		}
	}
	return found
}

func (m *Message) copy() Message {
	c := *m
	c.Events, c.Args = slices.Clone(m.Events), maps.Clone(m.Args)
	return c
}

// last is the newest event that really happened.
func (m Message) last() (Event, bool) {
	for _, e := range slices.Backward(m.Events) {
		if !e.Forged {
			return e, true
		}
	}
	return Event{}, false
}

// serve gives one of the two files as it is, or the part of it that a Range header asks for.
func (j *journal) serve(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Cache-Control", "no-store")
		http.ServeFile(w, r, filepath.Join(j.dir, name))
	}
}
