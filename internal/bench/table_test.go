package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// row is one line of the table: what was measured, what it is compared with, and what it should be.
type row struct {
	what   string
	figure string
	beside string // what it is compared with
	ratio  string
	goal   string // empty: for information
	met    bool
}

// against compares a rate with a limit of the same run.
func against(what string, rate float64, name string, limit, goal float64) row {
	return row{what: what, figure: perSecond(rate), beside: name + " " + perSecond(limit), ratio: fmt.Sprintf("%.2f", rate/limit),
		goal: fmt.Sprintf("at least %.2g", goal), met: rate/limit >= goal}
}

// beside compares without a goal.
func beside(what string, rate float64, name string, limit float64) row {
	r := against(what, rate, name, limit, 0)
	r.goal = ""
	return r
}

// info is a line without a goal.
func info(what, figure, beside string) row { return row{what: what, figure: figure, beside: beside} }

func (r row) mark() string {
	switch {
	case r.goal == "":
		return ""
	case r.met:
		return "met"
	}
	return "MISSED"
}

func printTable(w io.Writer, title string, rows []row) {
	fmt.Fprintf(w, "\n%s\n%s\n", title, strings.Repeat("=", len(title)))
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "measure\tfigure\tbeside it\tratio\tgoal\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.what, r.figure, r.beside, r.ratio, r.goal, r.mark())
	}
	_ = t.Flush()
}

func perSecond(rate float64) string { return grouped(rate) + " /s" }

// grouped writes a figure with three digits that matter and commas between thousands.
func grouped(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.3g", n)
	}
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
