package limit

import (
	"hash/fnv"
	"strconv"
	"sync"
	"time"
)

// memory counts in this process by the same rule as the script. It holds a bounded number of keys: when it is full of
// counts that still matter, those who come new share a few, so that a flood of addresses can neither fill the memory nor
// push out what is already counted.
type memory struct {
	mu    sync.Mutex
	most  int
	keys  map[string]*window
	swept time.Time
}

// window is the times at which one key was let in, oldest first.
type window struct {
	times  []time.Time
	within time.Duration
}

const (
	sharedKeys = 64
	sweepEvery = time.Second // a flood must not make us look through everything for each of its requests
)

func newMemory(most int) *memory { return &memory{most: most, keys: map[string]*window{}} }

func (m *memory) take(key string, rule Rule, now time.Time) Verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.window(key, rule, now)
	if n := len(w.times); n > 0 && w.times[n-1].After(now) {
		now = w.times[n-1]
	}
	w.forget(now)
	if len(w.times) >= rule.Most {
		return Verdict{Wait: w.times[0].Add(rule.Within).Sub(now)}
	}
	w.times = append(w.times, now)
	return Verdict{OK: true, Left: rule.Most - len(w.times), Wait: w.times[0].Add(rule.Within).Sub(now)}
}

// window finds a key's window or makes room for one.
func (m *memory) window(key string, rule Rule, now time.Time) *window {
	if w, ok := m.keys[key]; ok {
		return w
	}
	if len(m.keys) >= m.most {
		m.sweep(now)
	}
	if len(m.keys) >= m.most {
		h := fnv.New32a()
		h.Write([]byte(key))
		key = rule.Name + " shared " + strconv.Itoa(int(h.Sum32()%sharedKeys))
		if w, ok := m.keys[key]; ok {
			return w
		}
	}
	w := &window{within: rule.Within}
	m.keys[key] = w
	return w
}

// sweep drops the windows in which nothing counts any more.
func (m *memory) sweep(now time.Time) {
	if age := now.Sub(m.swept); age >= 0 && age < sweepEvery {
		return
	}
	m.swept = now
	for key, w := range m.keys {
		if w.forget(now); len(w.times) == 0 {
			delete(m.keys, key)
		}
	}
}

// forget drops the times that are out of the window.
func (w *window) forget(now time.Time) {
	n := 0
	for n < len(w.times) && !w.times[n].After(now.Add(-w.within)) {
		n++
	}
	if n == len(w.times) {
		w.times = nil
	} else if n > 0 {
		w.times = w.times[n:]
	}
}
