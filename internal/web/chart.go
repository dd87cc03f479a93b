package web

import (
	"fmt"

	"countersign/internal/clinic"
)

// chart is a row of bars, drawn by the server: nothing of it is needed to read the page, whose numbers stand beside it.
type chart struct {
	Label         string // what it shows, for who does not see it
	Width, Height int
	Bars          []chartBar
	First, Last   string // its ends, in words
	Top           string // what the highest bar stands for
}

// chartBar is one bar, in the units of the chart's box. The last day's stands out.
type chartBar struct {
	X, Y, Width, Height float64
	Title               string
	Last                bool
}

const (
	chartHeight = 40
	barStep     = 10 // a bar and the gap after it
	barGap      = 2
)

// newChart draws one bar for each day, with what say writes of it. A day of nothing is a thin line, so that it is not taken
// for one that is missing.
func newChart(label string, days []clinic.Bar, say func(clinic.Bar) string) chart {
	c := chart{Label: label, Width: max(len(days)*barStep-barGap, 1), Height: chartHeight}
	most := clinic.Bar{}
	for _, d := range days {
		if d.N > most.N {
			most = d
		}
	}
	for i, d := range days {
		height := 1.0
		if most.N > 0 && d.N > 0 {
			height = max(2, float64(d.N)*chartHeight/float64(most.N))
		}
		c.Bars = append(c.Bars, chartBar{X: float64(i * barStep), Y: chartHeight - height, Width: barStep - barGap, Height: height,
			Title: d.Day.Format("Mon 2 Jan") + ": " + say(d), Last: i == len(days)-1})
	}
	if len(days) > 0 {
		c.First, c.Last = days[0].Day.Format("2 Jan"), days[len(days)-1].Day.Format("2 Jan")
	}
	if most.N > 0 {
		c.Top = most.Day.Format("2 Jan") + ", " + say(most)
	}
	return c
}

// weekChart is the little chart of a figure.
func weekChart(f clinic.Figure) chart {
	return newChart(fmt.Sprintf("%s, and the %d days before", f.Label, len(f.Bars)-1), f.Bars, func(b clinic.Bar) string { return fmt.Sprint(b.N) })
}
