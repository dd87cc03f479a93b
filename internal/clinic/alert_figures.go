package clinic

import (
	"context"

	"countersign/internal/slo"
)

// figuresFew is how many answers a share of them needs: one failure in ten requests of a quiet night wakes nobody.
const figuresFew = 50

// figureSigns measures the figures that every process counts. Where nothing was counted there is no sign: what is over by then is.
func (t *tx) figureSigns(ctx context.Context, signs map[alertKey]float64) error {
	r := reading{q: t.Queries, now: t.at}
	recent, err := r.minutes(ctx, slo.NowWindow)
	if err != nil {
		return err
	}
	if seen := recent[slo.ErrorRate]; seen.Count >= figuresFew {
		signs[alertKey{rule: "error_rate"}] = seen.Value
	}
	if seen := recent[slo.FirstResponse]; seen.Count >= figuresFew {
		signs[alertKey{rule: "latency"}] = seen.P95()
	}
	up, err := r.up(ctx, alertRecent)
	if up.Count > 0 {
		signs[alertKey{rule: "uptime"}] = float64(up.Count - up.Good)
	}
	return err
}
