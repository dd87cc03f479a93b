package chaos

import (
	"sync"

	"github.com/google/uuid"
)

// Act is something that a person did over HTTP. It is acknowledged when the product said that it is done. One that was
// not may have been done or not; either is right.
type Act struct {
	Subject uuid.UUID // the message or the delivery
	Version int       // the version or rev that the person saw
}

// Memory is what the people of a run were told.
type Memory struct {
	Approved, Undone, Withdrawn []Act          // messages
	Resent, MarkedSent          []Act          // deliveries
	Opened                      []string       // delivery ids whose patient has read their page
	Unknown                     map[string]int // acts of which nobody knows whether they were done, by kind
	Refused                     map[string]int // acts that were refused, by kind: somebody was faster
	Wrong                       []string       // what a patient should not have seen
}

// recall guards a Memory while people act.
type recall struct {
	mu sync.Mutex
	m  Memory
}

func newRecall() *recall {
	return &recall{m: Memory{Unknown: map[string]int{}, Refused: map[string]int{}}}
}

func (r *recall) with(do func(m *Memory)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do(&r.m)
}
