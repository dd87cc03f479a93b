package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"countersign/internal/local"
)

// The providers by the names that the sandbox uses, which are ours too.
const (
	sendgrid = "sendgrid"
	twilio   = "twilio"
)

// Accepted is a line of the sandbox's log: a request that a provider took. It is ground truth.
type Accepted struct {
	Time      time.Time
	Provider  string
	Delivery  string
	Recipient string
	Body      string
	ID        string
}

// Told is what a provider told the app, or meant to, and what the app answered last.
type Told struct {
	Message string
	N       int
	Time    time.Time
	Name    string
	Answer  int
	Lost    bool
	Forged  bool
	Payload string
}

// taken says whether the app has answered that it has it.
func (t Told) taken() bool { return t.Answer >= 200 && t.Answer <= 299 }

// outside is the sandbox as anybody may use it: by HTTP.
type outside struct {
	address string
	client  *http.Client

	mu       sync.Mutex
	accepted []Accepted
	told     map[string]Told // by message and number; the last word counts
	read     map[string]int64
	heard    time.Time // when anything new was last read
}

func newOutside(address string) *outside {
	return &outside{address: address, client: &http.Client{Timeout: 30 * time.Second}, told: map[string]Told{}, read: map[string]int64{}}
}

func (o *outside) settings(ctx context.Context) ([]local.Setting, error) {
	text, err := o.get(ctx, "/settings.env", 0)
	if err != nil {
		return nil, err
	}
	return local.ParseSettings(bytes.NewReader(text))
}

// lie sets the providers' faults, or takes them away when there are none.
func (o *outside) lie(ctx context.Context, lies map[string][]Lie) error {
	method, body := http.MethodPost, io.Reader(nil)
	if lies == nil {
		method = http.MethodDelete
	} else {
		text, err := json.Marshal(lies)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, o.address+"/faults", body)
	if err != nil {
		return err
	}
	response, err := o.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("the sandbox does not take these faults: %s", text)
	}
	return nil
}

// tally is how often each lie was told, by provider and kind.
func (o *outside) tally(ctx context.Context) (counts map[string]map[string]int, err error) {
	text, err := o.get(ctx, "/faults/tally", 0)
	if err == nil {
		err = json.Unmarshal(text, &counts)
	}
	return counts, err
}

// get reads an address, or of a file what comes from an offset on.
func (o *outside) get(ctx context.Context, path string, offset int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.address+path, nil)
	if err != nil {
		return nil, err
	}
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := o.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return io.ReadAll(response.Body)
	case http.StatusRequestedRangeNotSatisfiable:
		return nil, nil // nothing new
	}
	return nil, fmt.Errorf("the sandbox answers %s to %s", response.Status, path)
}

// catchUp reads what the sandbox has written since it was last asked, and returns what providers took since.
func (o *outside) catchUp(ctx context.Context) (fresh []Accepted, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	err = o.lines(ctx, "/log", func(line []byte) error {
		var a Accepted
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		if a.Provider == sendgrid || a.Provider == twilio {
			fresh = append(fresh, a)
		}
		return nil
	})
	o.accepted = append(o.accepted, fresh...)
	if err != nil {
		return fresh, err
	}
	return fresh, o.lines(ctx, "/events", func(line []byte) error {
		var t Told
		if err := json.Unmarshal(line, &t); err != nil {
			return err
		}
		o.told[fmt.Sprintf("%s/%d", t.Message, t.N)] = t
		return nil
	})
}

func (o *outside) lines(ctx context.Context, path string, each func([]byte) error) error {
	text, err := o.get(ctx, path, o.read[path])
	if err != nil {
		return err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1] // a line under way is read the next time
	o.read[path] += int64(len(whole))
	if len(whole) > 0 {
		o.heard = time.Now()
	}
	for line := range bytes.Lines(whole) {
		if err := each(line); err != nil {
			return err
		}
	}
	return nil
}

// waiting is how many events SendGrid still insists on, and for how long the sandbox has written nothing.
func (o *outside) waiting() (untold int, quiet time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.told {
		if !t.Lost && !t.Forged && !t.taken() && strings.HasPrefix(t.Payload, "{") {
			untold++
		}
	}
	return untold, time.Since(o.heard)
}

// all is everything that was taken and told.
func (o *outside) all() (accepted []Accepted, told []Told) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.told {
		told = append(told, t)
	}
	return append(accepted, o.accepted...), told
}
