package limit

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"pgregory.net/rapid"

	"countersign/internal/clinictest"
)

// oracle is the rule as one would say it: of the last Within, at most Most were let in. It forgets nothing and is written
// in another way than what it judges.
type oracle struct{ in map[string][]int64 }

func (o *oracle) take(key string, rule Rule, now int64) Verdict {
	within, counted := rule.Within.Microseconds(), []int64{}
	for _, at := range o.in[key] {
		now = max(now, at)
	}
	for _, at := range o.in[key] {
		if at > now-within {
			counted = append(counted, at)
		}
	}
	ok := len(counted) < rule.Most
	if ok {
		o.in[key] = append(o.in[key], now)
		counted = append(counted, now)
	}
	v := Verdict{OK: ok, Left: rule.Most - len(counted)}
	v.Wait = time.Duration(counted[0]+within-now) * time.Microsecond
	return v
}

func testRedis(t testing.TB) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(clinictest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	rc := redis.NewClient(options)
	t.Cleanup(func() { _ = rc.Close() })
	return rc
}

// sequence draws takes of few keys at times that mostly go on, sometimes stand still or go back, and often fall exactly
// onto the edge of the window.
func sequence(t *rapid.T, rule Rule) (keys []string, times []int64) {
	now := int64(1_800_000_000_000_000)
	within := rule.Within.Microseconds()
	for range rapid.IntRange(1, 60).Draw(t, "takes") {
		now += rapid.OneOf(rapid.Int64Range(0, within/3), rapid.SampledFrom([]int64{0, 1, within - 1, within, within + 1, -1, -within / 2})).Draw(t, "step")
		keys = append(keys, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"))
		times = append(times, now)
	}
	return keys, times
}

func drawRule(t *rapid.T) Rule {
	return Rule{Name: "drawn", Most: rapid.IntRange(1, 8).Draw(t, "most"), Within: time.Duration(rapid.IntRange(60_000_000, 900_000_000).Draw(t, "within")) * time.Microsecond}
}

// The script decides as the oracle does, whatever comes when.
func TestScriptAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	l, run := New(testRedis(t), []byte("key")), 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		rule, o := drawRule(rt), &oracle{in: map[string][]int64{}}
		keys, times := sequence(rt, rule)
		for i, key := range keys {
			got, _, err := l.run(context.Background(), fmt.Sprintf("limit:%d:%s", run, key), rule, strconv.FormatInt(times[i], 10))
			if err != nil {
				rt.Fatal(err)
			}
			if want := o.take(key, rule, times[i]); got != want {
				rt.Fatalf("take %d of %s at %d: %+v, want %+v", i+1, key, times[i], got, want)
			}
		}
	})
}

// So does the process by itself: the same sequence gives the same decisions.
func TestMemoryAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rule, o, m := drawRule(rt), &oracle{in: map[string][]int64{}}, newMemory(100)
		keys, times := sequence(rt, rule)
		for i, key := range keys {
			got := m.take(key, rule, time.UnixMicro(times[i]))
			if want := o.take(key, rule, times[i]); got != want {
				rt.Fatalf("take %d of %s at %d: %+v, want %+v", i+1, key, times[i], got, want)
			}
		}
	})
}

// In service the time is Redis's own: it comes back with the answer, and the oracle agrees about it, although this
// process's clock stands still a year ago.
func TestTimeIsRedisTime(t *testing.T) {
	t.Parallel()
	l := New(testRedis(t), []byte("key"))
	l.now = func() time.Time { return time.Now().AddDate(-1, 0, 0) }
	rule, o := Rule{Name: "quick", Most: 3, Within: 40 * time.Millisecond}, &oracle{in: map[string][]int64{}}
	refused := 0
	for range 200 {
		got, now, err := l.run(context.Background(), "limit:quick", rule, "")
		if err != nil {
			t.Fatal(err)
		}
		if real := time.UnixMicro(now); time.Since(real).Abs() > time.Minute {
			t.Fatalf("the time is %s", real)
		}
		if want := o.take("quick", rule, now); got != want {
			t.Fatalf("at %d: %+v, want %+v", now, got, want)
		}
		if !got.OK {
			refused++
			time.Sleep(got.Wait / 2) // half of the takes fall into the wait, half after it
		}
	}
	if refused < 20 || refused > 180 {
		t.Errorf("%d of 200 were refused: the test tests nothing", refused)
	}
}

// Many processes at once let in exactly as many as the rule says.
func TestManyAtOnceAreCountedTogether(t *testing.T) {
	t.Parallel()
	rc, rule := testRedis(t), Rule{Name: "crowd", Most: 25, Within: time.Minute}
	var in atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		l := New(rc, []byte("the same key"))
		for range 25 {
			all.Go(func() {
				if v, err := l.ask(context.Background(), l.hide(rule, "192.0.2.7"), rule); err == nil && v.OK {
					in.Add(1)
				} else if err != nil {
					v := retry(t, l, rule)
					if v.OK {
						in.Add(1)
					}
				}
			})
		}
	}
	all.Wait()
	if in.Load() != 25 {
		t.Errorf("%d were let in, want 25", in.Load())
	}
}

// retry asks until a slow machine's Redis has answered in time.
func retry(t *testing.T, l *Limiter, rule Rule) Verdict {
	for {
		v, _, err := l.run(context.Background(), l.hide(rule, "192.0.2.7"), rule, "")
		if err == nil {
			return v
		}
		t.Log(err)
	}
}

// Redis holds no address and no person, keeps no more than the rule needs, and forgets by itself.
func TestRedisHoldsNobodyAndLittle(t *testing.T) {
	t.Parallel()
	rc, ctx := testRedis(t), context.Background()
	l, rule := New(rc, []byte("key")), Rule{Name: "address", Most: 10, Within: time.Minute}
	for range 500 {
		l.Take(ctx, rule, "198.51.100.23")
	}
	l.Take(ctx, rule, "0191f0aa-1111-7000-8000-00000000beef")
	keys, err := rc.Keys(ctx, "*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		if strings.Contains(key, "198.51") || strings.Contains(key, "beef") || strings.Contains(key, New(nil, []byte("another key")).hide(rule, "198.51.100.23")[14:]) {
			t.Errorf("%s tells whom it is of", key)
		}
		if n := rc.LLen(ctx, key).Val(); n > 10 {
			t.Errorf("%s holds %d", key, n)
		}
		if ttl := rc.PTTL(ctx, key).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("%s is kept for %s", key, ttl)
		}
	}
}
