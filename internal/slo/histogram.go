package slo

import "slices"

// Bounds are the upper bounds of a time's buckets, in seconds: close enough that a percentile is off by a quarter at most.
var Bounds = []float64{.0005, .001, .0015, .002, .003, .004, .005, .0075, .01, .015, .02, .03, .04, .05, .075, .1, .15, .2, .3, .4, .5, .75,
	1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120, 300}

// Histogram counts by buckets, one more than there are bounds: the last is over all of them. The zero one is empty.
type Histogram struct {
	Sum     float64
	Buckets []int64
}

// Observe counts one value.
func (h *Histogram) Observe(bounds []float64, value float64) {
	h.grow(len(bounds) + 1)
	i, _ := slices.BinarySearch(bounds, value)
	h.Buckets[i]++
	h.Sum += value
}

// Add puts another of the same bounds to it.
func (h *Histogram) Add(o Histogram) {
	h.grow(len(o.Buckets))
	for i, n := range o.Buckets {
		h.Buckets[i] += n
	}
	h.Sum += o.Sum
}

func (h *Histogram) grow(to int) {
	if missing := to - len(h.Buckets); missing > 0 {
		h.Buckets = append(h.Buckets, make([]int64, missing)...)
	}
}

// Count is how many values there are.
func (h Histogram) Count() (n int64) {
	for _, b := range h.Buckets {
		n += b
	}
	return n
}

// Under is how many values are at most the bound, which must be one of bounds.
func (h Histogram) Under(bounds []float64, bound float64) (n int64) {
	for i, b := range h.Buckets {
		if i < len(bounds) && bounds[i] <= bound {
			n += b
		}
	}
	return n
}

// Quantile is the value that a share q of all are at most, taken evenly between two bounds; 0 of nothing. What is over
// the last bound counts as the last bound.
func (h Histogram) Quantile(bounds []float64, q float64) float64 {
	rank := q * float64(h.Count())
	if rank == 0 {
		return 0
	}
	below, from := 0.0, 0.0
	for i, n := range h.Buckets {
		if i >= len(bounds) {
			break
		}
		if below+float64(n) >= rank {
			return from + (bounds[i]-from)*(rank-below)/float64(n)
		}
		below, from = below+float64(n), bounds[i]
	}
	return bounds[len(bounds)-1]
}
