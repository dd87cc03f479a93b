package fence

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// meanwhile has something happen while a request of this method is with the place; what it does there itself is not
// counted. It happens each time, or once.
func (w *world) meanwhile(method string, once bool, do func()) func(string) {
	var inside atomic.Bool
	return func(got string) {
		if got != method || !inside.CompareAndSwap(false, true) {
			return
		}
		do()
		inside.Store(once)
	}
}

// looks is look, for use beside the test.
func (w *world) looks(t *testing.T, f *Fence, n int) {
	for range n {
		if err := f.Look(ctx, true); err != nil {
			t.Error(err)
		}
	}
}

// Another worker beats between this process's two reads, each time it looks: that is no loss.
func TestOthersBeatMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.fence(t, w.URL)
	other, _ := w.fence(t, w.URL)
	look(t, f, 1, Open)
	hook := w.meanwhile(http.MethodGet, false, func() { w.looks(t, other, 1) })
	w.before.Store(&hook)
	for range 5 {
		must(t, f.Look(ctx, false))
	}
	w.before.Store(nil)
	if i := w.see(t, c); i.HeldAt != nil || i.Generation != 6 {
		t.Errorf("held %q at generation %d", i.HeldReason, i.Generation)
	}
}

// An operator lifts a stop between the two reads: what was read of the file is of before, and is read again.
func TestLiftedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.fence(t, w.URL)
	look(t, f, 2, Open)
	must(t, c.InstanceHold(ctx, w.Operator, w.see(t, c), clinic.HeldByHand, 0))
	hook := w.meanwhile(http.MethodGet, true, func() {
		if _, err := Release(ctx, c, w.bucket, w.Operator, time.Now()); err != nil {
			t.Error(err)
		}
	})
	w.after.Store(&hook)
	look(t, f, 1, Open)
	if i := w.see(t, c); i.HeldAt != nil {
		t.Errorf("held %q", i.HeldReason)
	}
}

// A worker that was frozen between its beat and its write does not take the file back.
func TestFileOnlyGoesForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow, _ := w.fence(t, w.URL)
	quick, _ := w.fence(t, w.URL)
	look(t, slow, 2, Open)
	var reads atomic.Int32
	var frozen atomic.Bool
	hook := func(method string) { // the first thing that it asks of the place after its beat: to write, not to read again
		if method == http.MethodGet && reads.Add(1) != 2 || !frozen.CompareAndSwap(false, true) {
			return
		}
		w.looks(t, quick, 3)
	}
	w.before.Store(&hook)
	must(t, slow.Look(ctx, true))
	w.before.Store(nil)
	if got := w.outside(t).Generation; got != 6 {
		t.Errorf("the file says %d, want what the quick one wrote", got)
	}
	look(t, slow, 1, Open)
	if got := w.outside(t).Generation; got != 7 {
		t.Errorf("afterwards the file says %d", got)
	}
}
