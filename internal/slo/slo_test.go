package slo

import (
	"math"
	"slices"
	"testing"
)

// The targets are the product's promise: they are written here again, by hand.
func TestPromises(t *testing.T) {
	t.Parallel()
	want := map[Figure]Promise{
		FirstResponse: {Limit: .050, Time: true, Objective: .95}, DatabaseQuery: {Limit: .010, Time: true, Objective: .95},
		QueueProcessing: {Limit: 5, Time: true, Objective: .95}, ErrorRate: {Limit: .001, Objective: .999},
		Uptime: {Limit: .999, Above: true, Objective: .999}, SecurityScore: {Limit: .95, Above: true, Objective: .99},
	}
	if len(Promises) != len(want) {
		t.Fatalf("%d promises", len(Promises))
	}
	for _, p := range Promises {
		w := want[p.Figure]
		if p.Limit != w.Limit || p.Above != w.Above || p.Time != w.Time || p.Objective != w.Objective || p.Title == "" || p.What == "" || Of(p.Figure) != p {
			t.Errorf("%+v", p)
		}
		if p.Time && !slices.Contains(Bounds, p.Limit) {
			t.Errorf("%s: what is good cannot be counted exactly", p.Figure)
		}
		if p.Kept(p.Limit) {
			t.Errorf("%s: the limit itself keeps the promise", p.Figure)
		}
	}
	for _, v := range Vitals {
		if !slices.Contains(VitalBounds, v.Good) || !slices.Contains(VitalBounds, v.Poor) {
			t.Errorf("%s: its thresholds are no bounds", v.Name)
		}
		if v.Rating(v.Good) != "good" || v.Rating(v.Poor) != "needs improvement" || v.Rating(v.Poor*1.01) != "poor" {
			t.Errorf("%s is rated wrongly", v.Name)
		}
	}
	if !slices.IsSorted(Bounds) || !slices.IsSorted(VitalBounds) {
		t.Error("bounds are not in order")
	}
}

// A percentile read from buckets is within a quarter of the one of the values themselves.
func TestQuantile(t *testing.T) {
	t.Parallel()
	if got := (Histogram{}).Quantile(Bounds, .95); got != 0 {
		t.Errorf("of nothing it is %v", got)
	}
	for name, value := range map[string]func(i int) float64{
		"even":    func(i int) float64 { return .001 + float64(i)*.0001 },
		"skewed":  func(i int) float64 { return .0008 * math.Exp(float64(i)/150) },
		"all one": func(int) float64 { return .0421 },
	} {
		var h Histogram
		var all []float64
		for i := range 1000 {
			h.Observe(Bounds, value(i))
			all = append(all, value(i))
		}
		slices.Sort(all)
		for _, q := range []float64{.5, .75, .95, .99} {
			if got, want := h.Quantile(Bounds, q), all[int(q*1000)-1]; got < want*.7 || got > want*1.35 {
				t.Errorf("%s: p%v is %v, the values' is %v", name, q*100, got, want)
			}
		}
		if h.Count() != 1000 {
			t.Errorf("%s: %d values", name, h.Count())
		}
	}
	var far Histogram
	far.Observe(Bounds, 9999)
	if far.Quantile(Bounds, .5) != Bounds[len(Bounds)-1] || far.Under(Bounds, 300) != 0 {
		t.Errorf("%+v", far)
	}
	var long Histogram
	long.Add(Histogram{Buckets: []int64{1, 2}})
	long.Add(Histogram{Buckets: []int64{1, 2, 3}, Sum: 4})
	if !slices.Equal(long.Buckets, []int64{2, 4, 3}) || long.Sum != 4 {
		t.Errorf("%+v", long)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		count, good int64
		left        float64
	}{{0, 0, 1}, {10000, 10000, 1}, {10000, 9996, .6}, {10000, 9990, 0}, {10000, 9980, -1}} {
		if b := Of(ErrorRate).BudgetOf(tt.count, tt.good); math.Abs(b.Left-tt.left) > 1e-9 || b.Bad != tt.count-tt.good {
			t.Errorf("%+v: %+v", tt, b)
		}
	}
}
