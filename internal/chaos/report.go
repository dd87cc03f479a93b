package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// report says what was done, and the verdict, an invariant a line. When something is broken the tables go into the
// evidence.
func (s *stage) report(ctx context.Context, l *load, rest Rest, v Verdict) {
	s.paper.line("")
	s.paper.line(s.summary(ctx, l))
	for _, r := range v.Results {
		s.paper.line(r.String())
	}
	for _, words := range v.Unasked {
		s.paper.line("!!   " + words)
	}
	s.paper.line("")
	verdict := "everything held"
	if v.Broken() {
		verdict = "NOT EVERYTHING HELD: " + strings.Join(append(v.Names(), v.Unasked...), ", ")
		if err := s.dump(ctx); err != nil {
			s.paper.line("the tables could not be written down: " + err.Error())
		}
	}
	s.paper.line(fmt.Sprintf("seed %d, %s of faults, %s of quiet: %s", s.o.Seed, s.o.For, seconds(rest.Whole), verdict))
}

// summary is what the run consisted of, in a few lines.
func (s *stage) summary(ctx context.Context, l *load) string {
	var text strings.Builder
	total := 0
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(s.faults.done)) {
		kinds = append(kinds, fmt.Sprintf("%s ×%d", kind, s.faults.done[kind]))
		total += s.faults.done[kind]
	}
	fmt.Fprintf(&text, "faults  %d: %s; %d more found their target down already\n", total, strings.Join(kinds, ", "), s.faults.passed)
	tally, err := s.outside.tally(ctx)
	if err == nil {
		for _, provider := range []string{sendgrid, twilio} {
			var lies []string
			for _, kind := range slices.Sorted(maps.Keys(tally[provider])) {
				lies = append(lies, fmt.Sprintf("%s ×%d", kind, tally[provider][kind]))
			}
			fmt.Fprintf(&text, "lies    %s: %s\n", provider, strings.Join(lies, ", "))
		}
	}
	l.memory.with(func(m *Memory) {
		fmt.Fprintf(&text, "people  %d approved (%.1f a second), %d undone, %d withdrawn, %d sent again, %d said it was sent, %d pages read; refused %v, no answer %v\n",
			len(m.Approved), float64(len(m.Approved))/s.o.For.Seconds(), len(m.Undone), len(m.Withdrawn), len(m.Resent), len(m.MarkedSent), len(m.Opened), m.Refused, m.Unknown)
	})
	return text.String()
}

// dump writes the tables that tell what happened, a row a line, into the evidence. Sealed columns stay sealed.
func (s *stage) dump(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.superuser())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, table := range []string{"messages", "deliveries", "delivery_attempts", "delivery_events", "audit_events", "pages", "reviews"} {
		file, err := os.Create(s.paper.file(table + ".ndjson"))
		if err != nil {
			return err
		}
		_, err = conn.PgConn().CopyTo(ctx, file, "COPY (SELECT row_to_json(t) FROM "+pgx.Identifier{table}.Sanitize()+" t) TO STDOUT")
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
