package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// told is what people heard, and how often the heart beat.
type told struct {
	mu    sync.Mutex
	all   []clinic.AlertNotice
	beats int
	jobs  map[string]int
	fails int // the next so many notices do not go
}

func (h *told) hear(_ context.Context, n clinic.AlertNotice) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails > 0 {
		h.fails--
		return "http_500"
	}
	h.all = append(h.all, n)
	return ""
}

func (h *told) beat(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beats++
	return errors.New("unreachable") // which keeps nothing up
}

func (h *told) checkIn(job string, _, _ time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil {
		h.jobs = map[string]int{}
	}
	if ok {
		h.jobs[job]++
	}
}

func (h *told) kinds() (kinds []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.all {
		kinds = append(kinds, n.Kind+" "+n.Rule.Name)
	}
	return kinds
}

// Of two workers one evaluates at a time, and when it is gone the other does; people are told once that it began and once that
// it is over, also when a notice does not go at first; each evaluation is a beat of the heart and a check-in.
func TestAlerts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var h told
	w.config.CheckIn = h.checkIn
	w.config.Alerts = Alerts{Every: 300 * time.Millisecond, Tell: map[string]func(context.Context, clinic.AlertNotice) string{"webhook": h.hear}, Heartbeat: h.beat}
	seen, err := w.Clinic.InstanceSee(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.fails = 1
	first := w.start(t)
	w.start(t)
	if err := w.Clinic.InstanceHold(t.Context(), clinic.WorkerActor("fence"), seen, clinic.HeldBehind, 7); err != nil {
		t.Fatal(err)
	}
	eventually(t, "people hear of it", func() bool { return len(h.kinds()) == 1 })
	first()
	if _, err := w.Clinic.InstanceRelease(t.Context(), w.Operator, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "people hear that it is over", func() bool { return len(h.kinds()) == 2 })
	if got := h.kinds(); got[0] != "fired sending_stopped" || got[1] != "cleared sending_stopped" {
		t.Errorf("people heard %q", got)
	}
	if tries := w.Count(t, "SELECT max(attempts) FROM alert_notices"); tries != 2 {
		t.Errorf("the notice that did not go was tried %d times", tries)
	}
	eventually(t, "a few beats", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.beats >= 5 })
	h.mu.Lock()
	defer h.mu.Unlock()
	if more := h.beats - h.jobs["alerts"]; more < 0 || more > 1 { // the one comes right after the other
		t.Errorf("%d check-ins, %d beats: each good evaluation is one of each", h.jobs["alerts"], h.beats)
	}
}
