package chaos

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Seeded is a fault that is built into the product on purpose, by the tag faultpoints, to see that Judge notices.
type Seeded struct {
	Words  string            // what is wrong
	Names  []string          // the invariants of which at least one must be broken
	tilt   func(Times) []Lie // lies told before all others, which bring the fault to light sooner
	deck   []string          // what happens, if not a bit of everything
	guards []string          // what the database's owner has to take away first, because the database would refuse the fault
	gone   string            // the same in words
}

// Breaks are the seeded faults by name.
var Breaks = map[string]Seeded{
	"fence": {Words: "a lease that ran out counts as not sent, and its row is sent again", Names: []string{"I3"},
		deck: []string{KillWorker, KillWorker, KillWorker, FreezeWorker, KillWorker, Lies},
		tilt: func(t Times) []Lie { // honest and slow, so that many are with a provider when a worker dies; silence would open the breaker
			return []Lie{{Kind: "slow", Probability: 0.8, Millis: millis(t.Provider / 2)}, {Kind: "lost", Probability: 0.9, webhook: true}}
		}},
	"relay": {Words: "nobody looks for what is due", Names: []string{"I2", "I20"}},
	"class": {Words: "a 5xx counts as not sent", Names: []string{"I3"},
		tilt: func(Times) []Lie {
			yes := true
			return []Lie{{Kind: "500", Probability: 0.2, Accept: &yes}, {Kind: "lost", Probability: 0.3, webhook: true}}
		}},
	"audit": {Words: "a delivery changes its state without an audit event", Names: []string{"I11"},
		guards: []string{`ALTER TABLE deliveries DISABLE TRIGGER deliveries_audited`, `ALTER TABLE deliveries DISABLE TRIGGER deliveries_born_audited`},
		gone:   "the triggers deliveries_audited and deliveries_born_audited are off: the database refuses an unaudited change otherwise"},
	"fold": {Words: "later news takes a delivery back", Names: []string{"I12", "I17"},
		guards: []string{`INSERT INTO delivery_edges (from_state, to_state)
			SELECT f, t FROM unnest(ARRAY['accepted', 'in_transit', 'sent', 'delivered', 'undelivered', 'opened', 'acknowledged']) f,
			                 unnest(ARRAY['accepted', 'in_transit', 'sent', 'delivered', 'undelivered', 'opened', 'acknowledged']) t
			WHERE f <> t ON CONFLICT DO NOTHING`},
		gone: "edges that lead back were added to delivery_edges: the database refuses them otherwise"},
}

// removeGuards takes away, as the database's owner, what would keep the seeded fault from happening at all.
func (s *stage) removeGuards(ctx context.Context) error {
	seeded := Breaks[s.o.Break]
	if len(seeded.guards) == 0 {
		return nil
	}
	conn, err := pgx.Connect(ctx, s.superuser())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range seeded.guards {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("taking the database's guard away: %w", err)
		}
	}
	s.say("guard taken away: %s", seeded.gone)
	return nil
}
