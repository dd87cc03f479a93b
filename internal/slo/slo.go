// Package slo is what is promised of the six figures, as data, and the arithmetic of keeping it: percentiles, verdicts
// and error budgets. It does no I/O and knows neither who measures nor who shows. The page, /metrics and whoever raises
// an alarm read the same table, Promises.
package slo

import "time"

// Figure names one of the six; it is also the name of its rows and the label of its series.
type Figure string

// The six figures.
const (
	FirstResponse   Figure = "first_response"
	DatabaseQuery   Figure = "database_query"
	QueueProcessing Figure = "queue_processing"
	ErrorRate       Figure = "error_rate"
	Uptime          Figure = "uptime"
	SecurityScore   Figure = "security_score"
)

// Promise is what is promised of a figure. A time is kept when the 95th percentile is under Limit, so Objective is the
// share of events that must be; of a share (error rate, uptime, score) it is Limit itself that is compared.
type Promise struct {
	Figure    Figure
	Title     string
	What      string  // what is measured, for whoever reads the page
	Limit     float64 // seconds for a time, otherwise a share of 1
	Above     bool    // the figure has to be over Limit; otherwise under it
	Time      bool    // it is a time, with percentiles
	Objective float64 // the share of good events in BudgetWindow
	Event     string  // what is counted as good or not
}

// Promises are the targets, in the order in which they are shown. Every Limit of a time is one of Bounds, so that what
// is counted as good is exact and not read between two bounds.
var Promises = []Promise{
	{Figure: FirstResponse, Title: "First response", Limit: .050, Time: true, Objective: .95, Event: "pages answered in time",
		What: "from a page's request to its first byte; probes, files, streams, webhooks and the proof of a patient, which always takes as long, aside"},
	{Figure: DatabaseQuery, Title: "Database query", Limit: .010, Time: true, Objective: .95, Event: "queries answered in time",
		What: "one trip to Postgres, of every process"},
	{Figure: QueueProcessing, Title: "Queue processing", Limit: 5, Time: true, Objective: .95, Event: "tasks done in time",
		What: "from due to done: deliveries with their provider, drafts without what the model takes; what still waits counts too"},
	{Figure: ErrorRate, Title: "Error rate", Limit: .001, Objective: .999, Event: "requests answered without a 5xx",
		What: "answers of 5xx among all, probes aside"},
	{Figure: Uptime, Title: "Uptime", Limit: .999, Above: true, Objective: .999, Event: "minutes up",
		What: "minutes since the first start with a web heartbeat and a ready answer to the leader's probe"},
	{Figure: SecurityScore, Title: "Security score", Limit: .95, Above: true, Objective: .99, Event: "looks that found it over the target",
		What: "the score of the security page, looked at every quarter of an hour"},
}

// Of is a figure's promise.
func Of(f Figure) Promise {
	for _, p := range Promises {
		if p.Figure == f {
			return p
		}
	}
	return Promise{}
}

// The windows: what is now, what the picture shows, and what the budget is of.
const (
	NowWindow    = 5 * time.Minute
	DayWindow    = 24 * time.Hour
	BudgetWindow = 30 * 24 * time.Hour
	Quarter      = 15 * time.Minute
)

// Kept says whether a value keeps the promise.
func (p Promise) Kept(value float64) bool {
	if p.Above {
		return value > p.Limit
	}
	return value < p.Limit
}

// Seen is what was measured of a figure in some window.
type Seen struct {
	Count, Good int64
	Histogram   Histogram // of a time
	Value       float64   // of a share: the figure itself
}

// Add puts what another process or another minute saw to it.
func (s *Seen) Add(o Seen) {
	s.Count += o.Count
	s.Good += o.Good
	s.Histogram.Add(o.Histogram)
}

// P50, P95 and P99 are a time's percentiles, in seconds.
func (s Seen) P50() float64 { return s.Histogram.Quantile(Bounds, .50) }

// P95 is the one that is held against the promise.
func (s Seen) P95() float64 { return s.Histogram.Quantile(Bounds, .95) }

// P99 is the slowest in a hundred.
func (s Seen) P99() float64 { return s.Histogram.Quantile(Bounds, .99) }

// Judged is the one number of the window that is compared with the promise.
func (p Promise) Judged(s Seen) float64 {
	if p.Time {
		return s.P95()
	}
	return s.Value
}

// Budget is how many events of the window may be bad, and how much of that is left.
//
// Of Count events (1 - Objective) × Count may be bad. Left is 1 - bad/allowed: 1 when nothing was, 0 when all of it is
// used, and below 0 when more than that was.
type Budget struct {
	Count, Bad int64
	Allowed    float64
	Left       float64
}

// BudgetOf is the budget of a promise, for what was seen in BudgetWindow.
func (p Promise) BudgetOf(count, good int64) Budget {
	b := Budget{Count: count, Bad: count - good, Allowed: (1 - p.Objective) * float64(count), Left: 1}
	if b.Allowed > 0 {
		b.Left = 1 - float64(b.Bad)/b.Allowed
	}
	return b
}

// Verdict is how a figure stands.
type Verdict string

// Quiet is when nothing was measured: nobody can say that it is good.
const (
	Good  Verdict = "good"
	Bad   Verdict = "bad"
	Quiet Verdict = "quiet"
)

// Point is one slot of the picture; slots with nothing in them are not there.
type Point struct {
	At    time.Time
	Value float64
}

// Measure is one figure as it stands.
type Measure struct {
	Promise
	Now, Day Seen
	Trend    []Point // of the last day, by quarters of an hour
	Budget   Budget
	Waiting  time.Duration // queue processing: for how long the longest has been due
	Verdict  Verdict
}

// Judge says how a figure stands, by what was seen just now and, where that tells nothing, by what waits.
func (m *Measure) Judge() {
	switch {
	case m.Waiting.Seconds() >= m.Limit && m.Figure == QueueProcessing:
		m.Verdict = Bad
	case m.Figure == Uptime && m.Day.Count > 0 && !m.Kept(m.Day.Value):
		m.Verdict = Bad
	case m.Now.Count == 0:
		m.Verdict = Quiet
	case m.Kept(m.Judged(m.Now)):
		m.Verdict = Good
	default:
		m.Verdict = Bad
	}
}
