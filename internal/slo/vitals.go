package slo

// Vital is one of the web vitals, with the thresholds that web.dev gives for it. Its value is in seconds, CLS aside,
// which has no unit. It is judged by the 75th percentile of all visits, as the field does.
type Vital struct {
	Name       string
	Title      string
	Good, Poor float64 // good up to the one, poor over the other
	Unitless   bool
}

// Vitals are those that are measured.
var Vitals = []Vital{
	{Name: "LCP", Title: "Largest Contentful Paint", Good: 2.5, Poor: 4},
	{Name: "INP", Title: "Interaction to Next Paint", Good: .2, Poor: .5},
	{Name: "CLS", Title: "Cumulative Layout Shift", Good: .1, Poor: .25, Unitless: true},
	{Name: "TTFB", Title: "Time to First Byte", Good: .8, Poor: 1.8},
}

// VitalBounds are the upper bounds of their buckets; each threshold is one.
var VitalBounds = []float64{.005, .01, .025, .05, .075, .1, .15, .2, .25, .3, .4, .5, .6, .8, 1, 1.25, 1.5, 1.8, 2.1, 2.5, 3, 4, 5, 7.5, 10, 20, 60}

// Rating is web.dev's word for a value: good, needs improvement, poor.
func (v Vital) Rating(value float64) string {
	switch {
	case value <= v.Good:
		return "good"
	case value <= v.Poor:
		return "needs improvement"
	default:
		return "poor"
	}
}

// VitalOf is the vital of a name; ok is false when it is none.
func VitalOf(name string) (v Vital, ok bool) {
	for _, v := range Vitals {
		if v.Name == name {
			return v, true
		}
	}
	return Vital{}, false
}

// Paged is one vital of one page.
type Paged struct {
	Vital
	Route  string
	Visits int64
	P75    float64
}
