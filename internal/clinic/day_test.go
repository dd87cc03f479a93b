package clinic

import (
	"testing"
	"time"
)

// A day has its own date and its own night, also where the clocks go forward at midnight and where they go back.
func TestDayOfAndItsNight(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"America/Chicago", "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		done := "2025-12-31"
		for at := time.Date(2026, 1, 1, 12, 0, 0, 0, zone); at.Year() == 2026; at = at.AddDate(0, 0, 1) {
			began, date := dayOf(at, zone), at.Format(time.DateOnly)
			if began.Format(time.DateOnly) != date || began.Add(-time.Nanosecond).Format(time.DateOnly) == date {
				t.Errorf("%s: %s began at %s", name, date, began)
			}
			if night := nightOf(at, zone); night.Format(time.DateOnly) != date || nightDue(done, night.Add(-time.Nanosecond), zone) || !nightDue(done, night, zone) {
				t.Errorf("%s: the night of %s is at %s", name, date, night)
			}
			done = date
		}
	}
}
