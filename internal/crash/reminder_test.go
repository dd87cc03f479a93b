package crash

import (
	"slices"
	"testing"
)

// Row «reminder made, not enqueued»: a worker dies before and after the commit of its look at what nobody has opened. The next one
// makes the reminders, or finds them by its relay; each goes once, by the link of its notice.
func TestReminderNotEnqueued(t *testing.T) {
	for name, made := range map[string]bool{"reminder.make/before-commit": false, "reminder.make/committed": true} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.web("")
			first := h.start("worker", "")
			for _, a := range answers {
				if a.name == "email takes it" || a.name == "sms takes it" {
					h.submitted(a).approve()
				}
			}
			h.rest((*scene).heard)
			first.end(kill)
			must(t, h.Exec(t, "UPDATE follow_ups SET due_at = 'epoch'")) // the first worker's look may have met one, and left it for a day
			soon := []string{"TIME_REMIND_FIRST=1ms", "TIME_REMIND_EVERY=200ms"}
			h.start("worker", "kill="+name, soon...).dies()
			reminders, waiting := one[int](h, "SELECT count(*) FROM deliveries WHERE kind = 'reminder' AND state = 'queued' AND attempt = 0"), 0
			if made {
				waiting = len(h.cases)
			}
			if reminders != waiting || h.waiting() != 0 {
				t.Errorf("%d reminders and %d tasks are there", reminders, h.waiting())
			}
			h.start("worker", "", soon...)
			await(t, "the reminders to arrive", func() bool {
				return one[int](h, "SELECT count(*) FROM deliveries WHERE kind = 'reminder' AND state = 'delivered'") == len(h.cases)
			})
			if n := one[int](h, "SELECT (SELECT count(*) FROM deliveries WHERE kind = 'reminder') + (SELECT count(*) FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id AND d.kind = 'reminder')"); n != 2*len(h.cases) {
				t.Errorf("%d reminders and attempts, not %d", n, 2*len(h.cases))
			}
			for _, s := range h.cases {
				var to []string
				for _, e := range s.provider.accepted(t) {
					to = append(to, e.Delivery)
				}
				slices.Sort(to)
				if len(to) != 2 || len(slices.Compact(to)) != 2 || !slices.Contains(to, s.delivery.String()) {
					t.Errorf("%s: the provider took %v", s.name, to)
				}
			}
		})
	}
}
