package fence

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Without a place there is no fence, and the log says so.
func TestOff(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	var log bytes.Buffer
	f := New(Config{Clinic: w.Clinic, Every: time.Second, Log: logging(&log)})
	var said string
	f.Run(ctx, true, func(_ context.Context, _ time.Time, code string) { said = code })
	if f.Word() != Off || said != clinic.JobOff || !strings.Contains(log.String(), "BLOB_URL is not set") {
		t.Errorf("%s: %s", f.Word(), log.String())
	}
	must(t, w.Clinic.InstanceHold(ctx, w.Operator, clinic.Instance{}, clinic.HeldByHand, 0)) // another one than is there
	i, err := w.Clinic.InstanceSee(ctx)
	must(t, err)
	must(t, w.Clinic.InstanceHold(ctx, w.Operator, i, clinic.HeldByHand, 0))
	_, err = Release(ctx, w.Clinic, nil, w.Operator, time.Now())
	must(t, err)
	if i, err := w.Clinic.InstanceSee(ctx); err != nil || i.HeldAt != nil || i.Anchored {
		t.Errorf("%+v, %v", i, err)
	}
}
