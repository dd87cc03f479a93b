package clinic

import (
	"testing"
	"time"
)

// The rule, by itself: what comes of a look, whatever happened before it.
func TestFollow(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	u := DefaultTimes().Unread
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { return ptr(start.Add(d)) }
	plain := following{priority: 1, notice: "delivered", handedAt: start, expires: start.Add(7 * day)}
	with := func(change func(*following)) following { f := plain; change(&f); return f }
	for name, tt := range map[string]struct {
		f   following
		now time.Duration
		w   step
	}{
		"not handed over yet":         {with(func(f *following) { f.notice = "queued" }), 0, step{due: at(time.Hour)}},
		"in trouble":                  {with(func(f *following) { f.notice = "failed" }), day, step{due: at(day + time.Hour)}},
		"in trouble, and over":        {with(func(f *following) { f.notice = "undelivered" }), 8 * day, step{}},
		"before the first":            {plain, day - time.Second, step{due: at(day)}},
		"the first":                   {plain, day, step{remind: true, due: at(day + time.Hour)}},
		"the first, in vain":          {with(func(f *following) { f.why = "locked" }), day, step{call: "locked"}},
		"a reason before its time":    {with(func(f *following) { f.why = "locked" }), time.Hour, step{due: at(day)}},
		"after the first, not known":  {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 1, at(day), "accepted" }), 26 * time.Hour, step{due: at(27 * time.Hour)}},
		"after the first, delivered":  {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 1, at(day), "delivered" }), 26 * time.Hour, step{due: at(3 * day)}},
		"after the first, refused":    {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 1, at(day), "refused" }), 26 * time.Hour, step{call: "reminder_failed"}},
		"the second":                  {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 1, at(day), "delivered" }), 3 * day, step{remind: true, due: at(3*day + time.Hour)}},
		"the second, after an outage": {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 1, at(70*time.Hour), "delivered" }), 3 * day, step{due: at(94 * time.Hour)}},
		"after the second":            {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 2, at(3*day), "delivered" }), 3*day + time.Hour, step{due: at(4 * day)}},
		"the call":                    {with(func(f *following) { f.reminders, f.remindAt, f.reminder = 2, at(3*day), "sent" }), 4 * day, step{call: "unread"}},
		"the link ends first":         {with(func(f *following) { f.expires = start.Add(12 * time.Hour) }), time.Hour, step{due: at(12 * time.Hour)}},
		"the link has ended":          {with(func(f *following) { f.expires = start.Add(12 * time.Hour) }), 12 * time.Hour, step{call: "link_expired"}},
		"urgent":                      {with(func(f *following) { f.priority = urgent }), 2 * time.Hour, step{remind: true, due: at(2*time.Hour + 5*time.Minute)}},
		"urgent, the call": {with(func(f *following) {
			f.priority, f.reminders, f.remindAt, f.reminder = urgent, 1, at(2*time.Hour), "delivered"
		}), 3 * time.Hour, step{call: "unread"}},
	} {
		got := u.follow(tt.f, start.Add(tt.now))
		if got.remind != tt.w.remind || got.call != tt.w.call || (got.due == nil) != (tt.w.due == nil) || got.due != nil && !got.due.Equal(*tt.w.due) {
			t.Errorf("%s: %+v (%v), want %+v (%v)", name, got, got.due, tt.w, tt.w.due)
		}
	}
}
