package limit

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// throughLine is the same Redis, by a line that the test can cut or freeze, with the options of the joined house.
func throughLine(t *testing.T, rc *redis.Client) (through *redis.Client, line *line) {
	t.Helper()
	line = newLine(t, rc.Options().Addr)
	options, at := *rc.Options(), line.addr
	options.Addr, options.MaxRetries, options.ContextTimeoutEnabled = at, 1, true
	options.Dialer = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at)
	}
	through = redis.NewClient(&options)
	t.Cleanup(func() { _ = through.Close() })
	return through, line
}

// Redis stopped: this process goes on counting from where it was, and gives Redis its word back when it answers again.
func TestRedisStopped(t *testing.T) {
	t.Parallel()
	rc := testRedis(t)
	through, line := throughLine(t, rc)
	ctx, rule := context.Background(), Rule{Name: "address", Most: 10, Within: time.Hour}
	l := New(through, []byte("key"))
	clock := time.Now()
	l.now = func() time.Time { return clock }
	for i := range 6 {
		if v := l.Take(ctx, rule, "a"); !v.OK || l.Away() && v.Left != 9-i {
			t.Fatalf("take %d: %+v", i+1, v)
		}
	}
	line.cut()
	for i := range 4 {
		if v := l.Take(ctx, rule, "a"); !v.OK || v.Left != 3-i {
			t.Fatalf("take %d without Redis: %+v", i+7, v)
		}
	}
	if v := l.Take(ctx, rule, "a"); v.OK || v.Wait <= 0 || v.Wait > time.Hour {
		t.Fatalf("the eleventh: %+v", v)
	}
	if !l.Away() {
		t.Error("it does not say that Redis is away")
	}
	line.mend(t)
	for i := 0; ; i++ { // a machine that is busy may take longer than a tenth of a second once more
		clock = clock.Add(awayTime + time.Millisecond)
		who := fmt.Sprint("b", i)
		v := l.Take(ctx, rule, who)
		if !v.OK || i == 20 {
			t.Fatalf("after Redis came back: %+v, away %v", v, l.Away())
		}
		if !l.Away() {
			if n := rc.Exists(ctx, l.hide(rule, who)).Val(); n != 1 {
				t.Error("after Redis came back, it was not asked")
			}
			break
		}
	}
}

// Redis that hangs costs one request a tenth of a second, and the next ones nothing.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	through, line := throughLine(t, testRedis(t))
	ctx, rule := context.Background(), Rule{Name: "address", Most: 100, Within: time.Hour}
	l := New(through, []byte("key"))
	l.Take(ctx, rule, "a")
	line.freeze()
	l.awayUntil.Store(0)
	begun := time.Now()
	l.Take(ctx, rule, "a")
	if took := time.Since(begun); took < redisTime/2 || took > redisTime+3*time.Second {
		t.Errorf("the first one waited %s", took)
	}
	begun = time.Now()
	for range 50 {
		if v := l.Take(ctx, rule, "a"); !v.OK {
			t.Fatalf("%+v", v)
		}
	}
	if took := time.Since(begun); took > 50*redisTime/2 {
		t.Errorf("fifty more waited %s", took)
	}
}

// A caller who leaves in the middle is no sign that Redis is away.
func TestWhoLeavesSaysNothingAboutRedis(t *testing.T) {
	t.Parallel()
	l := New(testRedis(t), []byte("key"))
	gone, leave := context.WithCancel(context.Background())
	leave()
	if v := l.Take(gone, Rule{Name: "address", Most: 1, Within: time.Minute}, "a"); !v.OK {
		t.Errorf("%+v", v)
	}
	if l.Away() {
		t.Error("Redis was left alone for it")
	}
}

// A flood of new keys fills no memory, pushes nobody's count out, and is itself held.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	rule, now := Rule{Name: "address", Most: 5, Within: time.Minute}, time.Now()
	m := newMemory(100)
	for range 5 {
		m.take("old", rule, now)
	}
	in := 0
	for i := range 100_000 {
		if m.take(fmt.Sprint("new ", i), rule, now.Add(time.Duration(i)*time.Microsecond)).OK {
			in++
		}
	}
	if n := len(m.keys); n > 100+sharedKeys {
		t.Errorf("%d keys are kept", n)
	}
	if most := 99 + sharedKeys*rule.Most; in > most {
		t.Errorf("%d of the flood were let in, at most %d should be", in, most)
	}
	if m.take("old", rule, now.Add(time.Second)).OK {
		t.Error("the flood pushed out what was counted")
	}
	if v := m.take("later", rule, now.Add(2*time.Minute)); !v.OK || len(m.keys) != 1 {
		t.Errorf("%+v, %d keys: what is over is not dropped", v, len(m.keys))
	}
}
