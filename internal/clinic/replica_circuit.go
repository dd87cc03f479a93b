package clinic

import (
	"sync"
	"time"
)

// replicaMisses is how many lists in a row a replica may miss for a reason that passes by itself.
const replicaMisses = 3

// passes says whether a reason does so by itself.
func passes(reason string) bool { return reason == replicaBehind || reason == replicaCancelled }

// circuit remembers that a replica failed, so that not every list waits for it. After the pause one list tries it.
type circuit struct {
	pause  time.Duration
	mu     sync.Mutex
	reason string // why it is open; empty: it is closed
	until  time.Time
	misses int
}

// ask says whether a list may try the replica now.
func (c *circuit) ask(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == "" {
		return true
	}
	if now.Before(c.until) {
		return false
	}
	c.until = now.Add(c.pause) // this one looks; the others hear what it finds
	return true
}

// good closes the circuit, and says why it was open.
func (c *circuit) good() (was string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, c.reason, c.misses = c.reason, "", 0
	return was
}

// bad counts a failure, and says whether it opened the circuit.
func (c *circuit) bad(now time.Time, reason string) (opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.misses++
	if passes(reason) && c.misses < replicaMisses && c.reason == "" {
		return false
	}
	opened = c.reason == ""
	c.reason, c.until = reason, now.Add(c.pause)
	return opened
}

// why is the reason for which the replica is left alone now, or nothing.
func (c *circuit) why(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.until) {
		return c.reason
	}
	return ""
}
