// Package score says how well an installation is guarded, out of what it can see at this moment: the headers, cookies
// and scripts of a real answer, by the published table of the MDN HTTP Observatory, and checks that really try. It knows
// answers and yes or no. It does not know what the product is; who asks brings the checks.
//
// Nothing in it is a constant: what was not looked at is not in the score, and what could not be looked at counts as
// failed.
package score

import (
	"context"
	"time"
)

// Line is one thing that was looked at.
type Line struct {
	Name   string
	Looked string // what was looked at
	Found  string // what was found
	Points int    // the Observatory's: negative, 0, or a bonus
	OK     bool
	Todo   string // what to do, unless OK
}

// Score is the whole: the mean of both parts.
type Score struct {
	At          time.Time
	Observatory int // 0 to 145, by its table
	Headers     []Line
	Checks      []Line
}

// Percent is the mean of the Observatory's points, at most 100 of them, and of the share of checks that passed.
func (s Score) Percent() int { return (min(s.Observatory, 100) + s.Passed()) / 2 }

// Passed is the percentage of checks that passed, rounded down: 0 when there are none.
func (s Score) Passed() int {
	if len(s.Checks) == 0 {
		return 0
	}
	n := 0
	for _, c := range s.Checks {
		if c.OK {
			n++
		}
	}
	return 100 * n / len(s.Checks)
}

// Check is something that can be tried.
type Check struct {
	Name   string
	Looked string                                // what is tried or looked at
	Todo   string                                // what to do when it fails
	Try    func(context.Context) (string, error) // what was found; an error is what is wrong, in words for an administrator
}

// tryTime is how long one check may take.
const tryTime = 5 * time.Second

// Compute fetches the page and runs every check. A page that cannot be had has no points.
func Compute(ctx context.Context, page Page, checks []Check) Score {
	s := Score{At: time.Now()}
	s.Observatory, s.Headers = page.observe(ctx)
	for _, c := range checks {
		s.Checks = append(s.Checks, c.run(ctx))
	}
	return s
}

func (c Check) run(ctx context.Context) Line {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	found, err := c.Try(ctx)
	if err != nil {
		return Line{Name: c.Name, Looked: c.Looked, Found: err.Error(), Todo: c.Todo}
	}
	return Line{Name: c.Name, Looked: c.Looked, Found: found, OK: true}
}
