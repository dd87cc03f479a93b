package web

import (
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"countersign/internal/slo"
)

// figuresView is the six figures, and what browsers measured.
type figuresView struct {
	Tiles []tile
	Pages []vitalPage
}

// tile is one figure in words: what it is now, how it was, what is promised and what of that is left.
type tile struct {
	slo.Measure
	Target string
	Big    string // the number that is held against the target
	Said   string // what that number is
	Rows   []tileRow
	Spark  spark
	Left   string
}

// tileRow is one window. Cells are p50, p95 and p99 of a time, and otherwise the figure itself.
type tileRow struct {
	Of    string
	Cells []string
}

// figuresShow is the six figures alone, for a page that asks again.
func (s *Server) figuresShow(c *call) error { return s.statusAnswer(c, http.StatusOK, "") }

func (s *Server) figures(c *call) (figuresView, error) {
	all, err := s.cfg.Clinic.FiguresShow(c.ctx())
	if err != nil {
		return figuresView{}, err
	}
	v := figuresView{}
	for _, m := range all {
		v.Tiles = append(v.Tiles, s.tile(m))
	}
	paged, err := s.cfg.Clinic.VitalsShow(c.ctx())
	v.Pages = byPage(paged)
	return v, err
}

func (s *Server) tile(m slo.Measure) tile {
	t := tile{Measure: m, Target: target(m.Promise), Big: "–", Said: quietWords(m.Promise), Left: budgetWords(m)}
	if m.Now.Count > 0 {
		t.Big, t.Said = amount(m.Promise, m.Judged(m.Now)), nowWords(m)
	}
	if m.Figure == slo.QueueProcessing && m.Waiting.Seconds() >= m.Limit {
		t.Big, t.Said = amount(m.Promise, m.Waiting.Seconds()), "is how long the oldest task has been due, and it still waits"
	}
	now := "now"
	if m.Figure == slo.Uptime {
		now = "since the first start"
	}
	t.Rows = []tileRow{{now, cells(m.Promise, m.Now)}, {"24 h", cells(m.Promise, m.Day)}}
	t.Spark = draw(m, s.cfg.Now())
	return t
}

func quietWords(p slo.Promise) string {
	switch p.Figure {
	case slo.Uptime:
		return "no whole minute has passed since the first start"
	case slo.SecurityScore:
		return "nobody looked in the last hour"
	default:
		return "nothing was measured in the last five minutes"
	}
}

func nowWords(m slo.Measure) string {
	switch m.Figure {
	case slo.Uptime:
		return fmt.Sprintf("of %s since the first start", plural(int(m.Now.Count), "minute", "minutes"))
	case slo.SecurityScore:
		return "at the last look"
	case slo.ErrorRate:
		return fmt.Sprintf("of %s in the last five minutes", plural(int(m.Now.Count), "request", "requests"))
	default:
		return fmt.Sprintf("or less in 95 of 100, of %d in the last five minutes", m.Now.Count)
	}
}

func target(p slo.Promise) string {
	side := "under "
	if p.Above {
		side = "over "
	}
	return side + amount(p, p.Limit)
}

// cells are a window's numbers, or dashes when there was nothing.
func cells(p slo.Promise, s slo.Seen) []string {
	switch {
	case s.Count == 0 && p.Time:
		return []string{"–", "–", "–"}
	case s.Count == 0:
		return []string{"–"}
	case p.Time:
		return []string{amount(p, s.P50()), amount(p, s.P95()), amount(p, s.P99())}
	default:
		return []string{amount(p, s.Value)}
	}
}

// amount writes a figure's value as people read it.
func amount(p slo.Promise, value float64) string {
	if p.Time {
		return seconds(value)
	}
	return percent(value)
}

func seconds(value float64) string {
	switch ms := value * 1000; {
	case ms < 10:
		return trim(ms, 1) + " ms"
	case ms < 1000:
		return trim(ms, 0) + " ms"
	case value < 120:
		return trim(value, 1) + " s"
	default:
		return trim(value/60, 0) + " min"
	}
}

// percent never rounds up to what it has not reached: 99.996 is 99.99 %.
func percent(share float64) string {
	return trim(math.Floor(share*10000+1e-6)/100, 2) + " %"
}

// trim is a number with at most so many digits after the point, and no idle ones.
func trim(value float64, digits int) string {
	text := strconv.FormatFloat(value, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// budgetWords says how much of the 30 days' budget is left, and what it is made of.
func budgetWords(m slo.Measure) string {
	b := m.Budget
	if b.Count == 0 {
		return "nothing was measured yet"
	}
	of := fmt.Sprintf("%d of %d %s missed, %s allowed", b.Bad, b.Count, eventWord(m.Promise), trim(b.Allowed, 1))
	if b.Left < 0 {
		return "overspent: " + of
	}
	return percent(b.Left) + " left: " + of
}

func eventWord(p slo.Promise) string {
	return map[slo.Figure]string{slo.FirstResponse: "pages", slo.DatabaseQuery: "queries", slo.QueueProcessing: "tasks", slo.ErrorRate: "requests",
		slo.Uptime: "minutes", slo.SecurityScore: "looks"}[p.Figure]
}

// The picture: a slot for each quarter of an hour of the last day, drawn over as much as there is. No library: it is a
// handful of lines whose points are counted here; the maintained chart packages for Go bring fonts, axes and rasters.
const (
	sparkWide, sparkHigh = 192.0, 40.0
	sparkSlots           = int(slo.DayWindow/slo.Quarter) + 1
)

// spark is the last day as lines; where nothing was measured there is none.
type spark struct {
	Lines []string // points, x,y …
	Limit string   // the height of the target, or ""
	Said  string   // the same in words
}

func draw(m slo.Measure, now time.Time) spark {
	if len(m.Trend) == 0 {
		return spark{Said: "Nothing was measured in the last 24 hours."}
	}
	low, high := m.Trend[0].Value, m.Trend[0].Value
	for _, p := range m.Trend {
		low, high = min(low, p.Value), max(high, p.Value)
	}
	out := spark{Said: fmt.Sprintf("The last 24 hours: between %s and %s, target %s.", amount(m.Promise, low), amount(m.Promise, high), target(m.Promise))}
	bottom, top := 0.0, max(high, m.Limit)*1.05
	if m.Above { // shares near 1: a picture from 0 would be a flat line
		bottom, top = min(low, 1-2*(1-m.Limit)), 1
	}
	y := func(value float64) float64 { return 2 + (sparkHigh-4)*(1-(value-bottom)/(top-bottom)) }
	out.Limit = trim(y(m.Limit), 1)
	first, last := now.Add(-slo.DayWindow).Truncate(slo.Quarter), time.Time{}
	var line []string
	for _, p := range m.Trend {
		if !last.IsZero() && p.At.Truncate(slo.Quarter).Sub(last) > slo.Quarter {
			out.Lines, line = append(out.Lines, whole(line)), nil
		}
		last = p.At.Truncate(slo.Quarter)
		x := sparkWide * float64(last.Sub(first)/slo.Quarter) / float64(sparkSlots-1)
		line = append(line, trim(x, 1)+","+trim(y(p.Value), 1))
	}
	out.Lines = append(out.Lines, whole(line))
	return out
}

// whole makes a line of a single point one that can be seen.
func whole(points []string) string {
	if len(points) == 1 {
		x, y, _ := strings.Cut(points[0], ",")
		at, _ := strconv.ParseFloat(x, 64)
		points = append(points, trim(at+1, 1)+","+y)
	}
	return strings.Join(points, " ")
}

// vitalPage is what browsers measured on one page, in the order of slo.Vitals.
type vitalPage struct {
	Route string
	Cells []vitalCell
}

type vitalCell struct {
	Name, Value, Rating string
	Visits              int
}

func byPage(paged []slo.Paged) []vitalPage {
	var pages []vitalPage
	for _, p := range paged {
		if n := len(pages); n == 0 || pages[n-1].Route != p.Route {
			pages = append(pages, vitalPage{Route: p.Route, Cells: make([]vitalCell, len(slo.Vitals))})
			for i, v := range slo.Vitals {
				pages[n].Cells[i].Name = v.Name
			}
		}
		value := seconds(p.P75)
		if p.Unitless {
			value = trim(p.P75, 2)
		}
		for i, v := range slo.Vitals {
			if v.Name == p.Name {
				pages[len(pages)-1].Cells[i] = vitalCell{v.Name, value, v.Rating(p.P75), int(p.Visits)}
			}
		}
	}
	return pages
}

// VitalNames are the columns of the table.
func (figuresView) VitalNames() []slo.Vital { return slo.Vitals }

// Aria is the picture in words, as an attribute.
func (s spark) Aria() template.HTMLAttr {
	return template.HTMLAttr(`aria-label="` + template.HTMLEscapeString(s.Said) + `"`)
}
