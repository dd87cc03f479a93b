package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fault is one way a provider lies, and how often.
//
//	kind                 what the caller sees                          in the log
//	refuse               connection closed before the body is read     no
//	reset-before-headers connection reset after the request was read   no
//	reset-after-headers  accepted, then reset (openai: in mid-stream)  yes
//	timeout              silence, for ms (30 s) or until they hang up  yes, unless accept is false
//	slow                 an honest answer after ms (2 s)               yes
//	500, 503             an error page                                 no, unless accept is true
//	429                  with Retry-After: retry_after seconds (1)     no
//	401                  as if the key were wrong                      no
//	403                  as if the account might not send              no
//	302                  sent elsewhere, as a proxy in between would   no
//	unreadable-2xx       2xx with a body and headers that say nothing  yes
//	silent               webhooks: none are made, as for an account    yes
//	                     that has no address for them
//	lost                 webhooks: the event never reaches the app     yes
//	twice                webhooks: each event is told two times        yes
//	tripled              webhooks: each event is told three times      yes
//	shuffled             webhooks: the last event comes first          yes
//	late                 webhooks: the first event comes ms (3 s)      yes
//	                     after it was due, behind all others
//	forged               webhooks: before each event, a wrongly        yes
//	                     signed one says that it came back
//	bad-json             openai: the content is not JSON               yes
//	refusal              openai: a refusal in place of content         yes
//	truncated            openai: cut in the middle, finish "length"    yes
//
// Faults of a provider are tried in their order; the first that hits its probability counts, for requests and for
// webhooks apart.
type Fault struct {
	Kind        string  `json:"kind"`
	Probability float64 `json:"probability"` // 0 to 1
	Millis      int     `json:"ms,omitempty"`
	RetryAfter  int     `json:"retry_after,omitempty"` // seconds
	Accept      *bool   `json:"accept,omitempty"`      // timeout, 500, 503: was the request taken first?
}

type faultClass int

const (
	requestFault faultClass = iota + 1
	webhookFault
	modelFault
)

var faultKinds = map[string]faultClass{
	"refuse": requestFault, "reset-before-headers": requestFault, "reset-after-headers": requestFault,
	"timeout": requestFault, "slow": requestFault, "500": requestFault, "503": requestFault, "429": requestFault,
	"401": requestFault, "403": requestFault, "302": requestFault, "unreadable-2xx": requestFault,
	"silent": webhookFault, "lost": webhookFault, "twice": webhookFault, "tripled": webhookFault, "shuffled": webhookFault, "late": webhookFault, "forged": webhookFault,
	"bad-json": modelFault, "refusal": modelFault, "truncated": modelFault,
}

func (f Fault) millis(standard int) time.Duration {
	if f.Millis > 0 {
		standard = f.Millis
	}
	return time.Duration(standard) * time.Millisecond
}

// accepts says whether the provider takes the request before it lies about it.
func (f Fault) accepts() bool {
	switch f.Kind {
	case "reset-after-headers", "slow", "unreadable-2xx":
		return true
	case "timeout":
		return f.Accept == nil || *f.Accept
	case "500", "503":
		return f.Accept != nil && *f.Accept
	}
	return false
}

// times is how often a webhook is told.
func (f Fault) times() int {
	switch f.Kind {
	case "twice":
		return 2
	case "tripled":
		return 3
	}
	return 1
}

// faultBoard is what the providers are told to do wrong at the moment, and how often they did; it is forgotten at a
// restart.
type faultBoard struct {
	mu     sync.Mutex
	faults map[string][]Fault
	counts map[string]map[string]int // by provider and kind; clearing the faults leaves them
}

func newFaultBoard() *faultBoard {
	return &faultBoard{faults: map[string][]Fault{}, counts: map[string]map[string]int{}}
}

// pick rolls the dice among the provider's faults of these classes; the zero Fault means "behave".
func (b *faultBoard) pick(provider string, classes ...faultClass) Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults[provider] {
		if slices.Contains(classes, faultKinds[f.Kind]) && rand.Float64() < f.Probability {
			if b.counts[provider] == nil {
				b.counts[provider] = map[string]int{}
			}
			b.counts[provider][f.Kind]++
			return f
		}
	}
	return Fault{}
}

func (b *faultBoard) show(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	now := maps.Clone(b.faults)
	b.mu.Unlock()
	writeJSON(w, http.StatusOK, now)
}

// tally says how often each fault has hit since the sandbox started.
func (b *faultBoard) tally(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	now := map[string]map[string]int{}
	for provider, counts := range b.counts {
		now[provider] = maps.Clone(counts)
	}
	b.mu.Unlock()
	writeJSON(w, http.StatusOK, now)
}

// set replaces the lists of the providers it is given and leaves the others alone.
func (b *faultBoard) set(w http.ResponseWriter, r *http.Request) {
	var given map[string][]Fault
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	err := dec.Decode(&given)
	if err == nil {
		err = checkFaults(given)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	b.mu.Lock()
	maps.Copy(b.faults, given)
	b.mu.Unlock()
	b.show(w, r)
}

func checkFaults(given map[string][]Fault) error {
	for provider, list := range given {
		if provider != sendgrid && provider != twilio && provider != openai {
			return fmt.Errorf("no provider %q: sendgrid, twilio or openai", provider)
		}
		for _, f := range list {
			class := faultKinds[f.Kind]
			if class == 0 || (class == modelFault) && provider != openai || (class == webhookFault) && provider == openai {
				return fmt.Errorf("%s has no fault %q", provider, f.Kind)
			}
			if !(f.Probability >= 0 && f.Probability <= 1) || f.Millis < 0 || f.RetryAfter < 0 {
				return fmt.Errorf("%s, %s: probability is 0 to 1, ms and retry_after are not negative", provider, f.Kind)
			}
		}
	}
	return nil
}

func (b *faultBoard) clear(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.faults = map[string][]Fault{}
	b.mu.Unlock()
	b.show(w, r)
}
