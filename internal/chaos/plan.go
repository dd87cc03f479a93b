package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The kinds of faults.
const (
	KillWorker      = "kill -9 worker"
	KillWeb         = "kill -9 web"
	FreezeWorker    = "freeze worker" // SIGSTOP
	FreezeWeb       = "freeze web"
	KillRedis       = "kill -9 redis"
	LoseRedis       = "kill -9 redis, data lost"
	FlushRedis      = "FLUSHALL"
	RestartPostgres = "postgres immediate restart"
	Lies            = "providers' lies change"
)

// Fault is one thing that happens to the run.
type Fault struct {
	At     time.Duration // since the load began
	Kind   string
	Target int           // which worker or web
	For    time.Duration // how long it stays down, or frozen
	Lies   map[string][]Lie
}

// String is the fault's line in the report.
func (f Fault) String() string {
	switch f.Kind {
	case KillWorker, KillWeb, FreezeWorker, FreezeWeb:
		return fmt.Sprintf("%s-%d for %.1fs", f.Kind, f.Target+1, f.For.Seconds())
	case FlushRedis:
		return "redis " + f.Kind
	case Lies:
		var total []string
		for _, provider := range []string{sendgrid, twilio} {
			requests, webhooks := 0.0, 0.0
			for _, l := range f.Lies[provider] {
				if l.webhook {
					webhooks += l.Probability
				} else {
					requests += l.Probability
				}
			}
			total = append(total, fmt.Sprintf("%s in %.0f %% of answers and %.0f %% of webhooks", provider, 100*requests, 100*webhooks))
		}
		return "lies: " + strings.Join(total, ", ")
	}
	return fmt.Sprintf("%s for %.1fs", f.Kind, f.For.Seconds())
}

// deck is how often each kind comes among as many faults: it is dealt shuffled, so that a short run has a bit of all.
var deck = []string{KillWorker, KillWorker, KillWorker, KillWorker, KillWeb, KillWeb, FreezeWorker, FreezeWorker, FreezeWorker, FreezeWeb,
	KillRedis, LoseRedis, FlushRedis, FlushRedis, RestartPostgres, Lies, Lies}

// between two faults pass on average.
const between = 1100 * time.Millisecond

// frozenOver is the longest that a freeze outlasts a lease: who is frozen is hit by nothing else.
const frozenOver = 30 * time.Second

// Plan is the schedule of faults of a run: the same for the same arguments. The first thing that happens is that the
// providers begin to lie; the last fault begins before the run ends.
func Plan(seed uint64, length time.Duration, t Times, workers, webs int) []Fault {
	return deal(nil, seed, length, t, workers, webs)
}

func deal(cards []string, seed uint64, length time.Duration, t Times, workers, webs int) []Fault {
	if cards == nil {
		cards = deck
	}
	rng := rand.New(rand.NewPCG(seed, 0x636f756e74657273))
	plan := []Fault{{Kind: Lies, Lies: lies(rng, t)}}
	var hand []string
	for at := between; at < length; at += between/2 + time.Duration(rng.Int64N(int64(between))) {
		if len(hand) == 0 {
			hand = append(hand, cards...)
			rng.Shuffle(len(hand), func(i, j int) { hand[i], hand[j] = hand[j], hand[i] })
		}
		f := Fault{At: at, Kind: hand[0]}
		hand = hand[1:]
		f.aim(rng, t, workers, webs)
		plan = append(plan, f)
	}
	return plan
}

// aim gives a fault its target and how long it lasts.
func (f *Fault) aim(rng *rand.Rand, t Times, workers, webs int) {
	span := func(from, to time.Duration) time.Duration { return from + time.Duration(rng.Int64N(int64(to-from))) }
	switch f.Kind {
	case KillWorker:
		f.Target, f.For = rng.IntN(workers), span(200*time.Millisecond, 2*time.Second)
	case KillWeb:
		f.Target, f.For = rng.IntN(webs), span(200*time.Millisecond, 2*time.Second)
	case FreezeWorker: // about half of them for longer than a lease
		f.Target, f.For = rng.IntN(workers), span(t.Lease/3, min(2*t.Lease, t.Lease+frozenOver))
	case FreezeWeb:
		f.Target, f.For = rng.IntN(webs), span(time.Second, min(t.Lease, frozenOver/2))
	case KillRedis, LoseRedis:
		f.For = span(200*time.Millisecond, 2*time.Second)
	case RestartPostgres:
		f.For = span(100*time.Millisecond, time.Second)
	case Lies:
		f.Lies = lies(rng, t)
	}
}

// Lie is a fault of the sandbox, in its own words.
type Lie struct {
	Kind        string  `json:"kind"`
	Probability float64 `json:"probability"`
	Millis      int     `json:"ms,omitempty"`
	RetryAfter  int     `json:"retry_after,omitempty"`
	Accept      *bool   `json:"accept,omitempty"`
	webhook     bool
}

// lies is a new mix for each provider: all kinds of lies, each with a weight by chance, in 10 to 40 % of the answers
// and 20 to 50 % of the webhooks.
func lies(rng *rand.Rand, t Times) map[string][]Lie {
	yes, no := true, false
	out := map[string][]Lie{}
	for _, provider := range []string{sendgrid, twilio} {
		answers := []Lie{{Kind: "refuse"}, {Kind: "reset-before-headers"}, {Kind: "reset-after-headers"}, {Kind: "unreadable-2xx"},
			{Kind: "timeout", Millis: millis(3 * t.Provider / 2), Accept: &yes}, {Kind: "timeout", Millis: millis(3 * t.Provider / 2), Accept: &no},
			{Kind: "slow", Millis: 100 + rng.IntN(millis(t.Provider)*2/3)}, {Kind: "slow", Millis: 100 + rng.IntN(millis(t.Provider)*2/3)},
			{Kind: "500", Accept: &yes}, {Kind: "500", Accept: &no}, {Kind: "503", Accept: &yes}, {Kind: "503", Accept: &no},
			{Kind: "429", RetryAfter: 1 + rng.IntN(2)}, {Kind: "401"}}
		webhooks := []Lie{{Kind: "lost"}, {Kind: "lost"}, {Kind: "twice"}, {Kind: "tripled"}, {Kind: "shuffled"}, {Kind: "shuffled"},
			{Kind: "late", Millis: 500 + rng.IntN(2500)}, {Kind: "forged"}}
		for i := range webhooks {
			webhooks[i].webhook = true
		}
		weigh(rng, answers, 0.1+0.3*rng.Float64())
		weigh(rng, webhooks, 0.2+0.3*rng.Float64())
		out[provider] = append(answers, webhooks...)
	}
	return out
}

// weigh gives each lie a probability by chance, so that they come to about total.
func weigh(rng *rand.Rand, list []Lie, total float64) {
	sum := 0.0
	for i := range list {
		list[i].Probability = 0.2 + rng.Float64()
		sum += list[i].Probability
	}
	for i := range list {
		list[i].Probability *= total / sum
	}
}

func millis(d time.Duration) int { return int(d / time.Millisecond) }
