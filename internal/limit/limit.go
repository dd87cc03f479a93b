// Package limit says when an address or a person has done enough of one thing for now: at most so often within any window
// of so long, counted by all processes together on Redis, and by each for itself while Redis is away or slow.
//
// It knows Redis and time. It knows no request, route or person: whom a count is of is hashed with a key before it goes
// anywhere, so that neither Redis nor this process's memory holds an address or an id. What must survive a Redis that
// forgets is not for here: it is counted in Postgres, in the row that it protects.
package limit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Rule is how much of one thing is allowed: Most within any window of Within.
type Rule struct {
	Name   string
	Most   int
	Within time.Duration
}

// Verdict is the answer to one Take.
type Verdict struct {
	OK   bool
	Left int           // how many more would be let in now
	Wait time.Duration // until the oldest of what was let in counts no longer: when refused, until the next is let in
}

const (
	redisTime = 100 * time.Millisecond // a Redis that takes longer than this is away
	awayTime  = time.Second            // how long it is then left alone
	mostKeys  = 20_000                 // that this process counts by itself
)

// Limiter counts. Make one by New; it is safe for use by many goroutines.
type Limiter struct {
	redis     redis.Scripter
	key       []byte
	own       *memory
	now       func() time.Time
	awayUntil atomic.Int64 // unix nanoseconds
}

// New makes a limiter. rc must obey its context's deadline; it may be nil, and this process counts for itself. Processes that count together have the same
// key, which keeps what is counted from being guessed by trying.
func New(rc redis.Scripter, key []byte) *Limiter {
	return &Limiter{redis: rc, key: key, own: newMemory(mostKeys), now: time.Now}
}

//go:embed take.lua
var takeSource string

// take is the one script: every limit of every process is decided by it, in one step.
var take = redis.NewScript(takeSource)

// Take counts one of what the rule is about for who, unless that would be too much. It never fails: whatever is the
// matter with Redis, this process knows what it has let in itself.
func (l *Limiter) Take(ctx context.Context, rule Rule, who string) Verdict {
	key := l.hide(rule, who)
	if v, err := l.ask(ctx, key, rule); err == nil {
		if v.OK {
			l.own.take(key, rule, l.now()) // so that nothing is forgotten if Redis goes away now
		}
		return v
	}
	return l.own.take(key, rule, l.now())
}

// Alone is Take in this process alone: for what is worth a count, but no question to Redis.
func (l *Limiter) Alone(rule Rule, who string) Verdict {
	return l.own.take(l.hide(rule, who), rule, l.now())
}

// Away says that Redis was left out lately.
func (l *Limiter) Away() bool { return l.now().UnixNano() < l.awayUntil.Load() }

var errAway = errors.New("limit: Redis is left alone for now")

func (l *Limiter) ask(ctx context.Context, key string, rule Rule) (Verdict, error) {
	if l.redis == nil || l.Away() {
		return Verdict{}, errAway
	}
	short, cancel := context.WithTimeout(ctx, redisTime)
	defer cancel()
	v, _, err := l.run(short, key, rule, "")
	if err != nil && ctx.Err() == nil { // a caller who left says nothing about Redis
		l.awayUntil.Store(l.now().Add(awayTime).UnixNano())
	}
	return v, err
}

// run is the script itself. at is the time in microseconds, or empty for Redis's own, which it returns.
func (l *Limiter) run(ctx context.Context, key string, rule Rule, at string) (v Verdict, now int64, err error) {
	got, err := take.Run(ctx, l.redis, []string{key}, rule.Most, rule.Within.Microseconds(), at).Int64Slice()
	if err != nil {
		return Verdict{}, 0, err
	}
	if len(got) != 4 {
		return Verdict{}, 0, errors.New("limit: the script answered " + strconv.Itoa(len(got)) + " values")
	}
	return Verdict{OK: got[0] == 1, Left: int(got[1]), Wait: time.Duration(got[2]) * time.Microsecond}, got[3], nil
}

// hide names a count without naming whom it is of.
func (l *Limiter) hide(rule Rule, who string) string {
	h := hmac.New(sha256.New, l.key)
	h.Write([]byte(rule.Name + "|" + who))
	return "limit:" + rule.Name + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
