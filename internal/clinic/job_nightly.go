package clinic

import (
	"context"
	"encoding/json"
	"time"

	"countersign/internal/db"
)

// nightHour is when the nightly job is due, on the clinic's clock.
const nightHour = 2

// How long the nightly job leaves what nobody asks for any more. Sign-ins stay longer than any question about them: which
// token opened one, and who has not been here for unseenDays.
const (
	nightlyRows         = 10_000 // of each kind at a time; when there are more, it goes on a minute later
	nightlySessionDays  = 2 * unseenDays
	nightlyPageDays     = 1
	nightlyProofDays    = 30
	nightlyTriesDays    = 2
	nightlyOrphansSince = 7 // days of signatures that are looked at
)

// Nightly is what one night's run took away, and what it found missing.
type Nightly struct {
	Retired         int64 `json:"retired"` // messages, by the clinics' settings
	Sessions        int64 `json:"sessions"`
	PageSessions    int64 `json:"page_sessions"`
	Proofs          int64 `json:"proofs"`
	Tries           int64 `json:"tries"`
	WithoutKey      int32 `json:"without_key"`
	WithoutReview   int32 `json:"without_review"`
	WithoutDelivery int32 `json:"without_delivery"`
	WithoutPage     int32 `json:"without_page"`
}

// Orphans is how many records miss what belongs to them: none, as long as every deed did all of its work.
func (n Nightly) Orphans() int32 {
	return n.WithoutKey + n.WithoutReview + n.WithoutDelivery + n.WithoutPage
}

func (n Nightly) more() bool {
	return max(n.Sessions, n.PageSessions, n.Proofs, n.Tries) >= nightlyRows
}

// nightOf is the hour of the nightly job on the day of a moment.
func nightOf(at time.Time, zone *time.Location) time.Time {
	return dayOf(at, zone).Add(nightHour * time.Hour)
}

// nightDue says whether a night's work has come and is not done.
func nightDue(done string, at time.Time, zone *time.Location) bool {
	return done < dayOf(at, zone).Format(time.DateOnly) && !at.Before(nightOf(at, zone))
}

// JobNightly does the night's work when its hour has come and nobody has done it, or when asked; else nothing, and did is false.
// One worker at a time: the job's row is locked, and whoever finds it locked leaves it. more says that messages are left that
// MessageRetire could take, so that the night is not over.
func (c *Clinic) JobNightly(ctx context.Context, a Actor, asked, more bool) (did bool, err error) {
	err = c.do(ctx, a, JobNightly, Subject{Kind: "job"}, func(t *tx) error {
		if err := t.home(ctx); err != nil {
			if KindOf(err) == NotFound { // no clinic yet, so no night's work
				t.silent = true
				return nil
			}
			return err
		}
		cl, err := t.clinicOf(ctx, t.clinicID())
		if err != nil {
			return err
		}
		if err := t.NightlyBegin(ctx); err != nil {
			return err
		}
		done, err := t.NightlyLock(ctx)
		today := dayOf(t.at, zoneOf(cl)).Format(time.DateOnly)
		if noRows(err) || err == nil && !asked && !nightDue(done, t.at, zoneOf(cl)) {
			t.silent = true
			return nil
		}
		if err != nil {
			return err
		}
		n, err := t.nightly(ctx)
		if err != nil {
			return err
		}
		if more || n.more() || t.at.Before(nightOf(t.at, zoneOf(cl))) { // not all of it, or somebody's wish before the hour
			today = done
		}
		if n.Orphans() > 0 {
			t.alarms = append(t.alarms, "orphans")
		}
		found, err := json.Marshal(n)
		if err != nil {
			return err
		}
		t.detail["found"] = n
		did = true
		return t.NightlyDone(ctx, db.NightlyDoneParams{Day: today, Found: found})
	})
	return did && err == nil, err
}

func (t *tx) nightly(ctx context.Context) (n Nightly, err error) {
	if n.Retired, err = t.RetiredLately(ctx, t.clinicID()); err != nil {
		return n, err
	}
	before := func(days int) time.Time { return t.at.AddDate(0, 0, -days) }
	if n.Sessions, err = t.NightlySessions(ctx, db.NightlySessionsParams{Before: before(nightlySessionDays), RowLimit: nightlyRows}); err != nil {
		return n, err
	}
	if n.PageSessions, err = t.NightlyPageSessions(ctx, db.NightlyPageSessionsParams{Before: before(nightlyPageDays), RowLimit: nightlyRows}); err != nil {
		return n, err
	}
	if n.Proofs, err = t.NightlyProofs(ctx, db.NightlyProofsParams{Before: before(nightlyProofDays), RowLimit: nightlyRows}); err != nil {
		return n, err
	}
	if n.Tries, err = t.NightlyTries(ctx, db.NightlyTriesParams{Before: before(nightlyTriesDays), RowLimit: nightlyRows}); err != nil {
		return n, err
	}
	o, err := t.NightlyOrphans(ctx, ptr(before(nightlyOrphansSince)))
	n.WithoutKey, n.WithoutReview, n.WithoutDelivery, n.WithoutPage = o.WithoutKey, o.WithoutReview, o.WithoutDelivery, o.WithoutPage
	return n, err
}

// nightlyWords says what a night's run found, and whether it has to be looked into.
func nightlyWords(found []byte) (words []string, trouble bool) {
	var n Nightly
	if len(found) < 3 || json.Unmarshal(found, &n) != nil {
		return nil, false
	}
	say := func(many int64, one, more string) {
		if many > 0 {
			words = append(words, countOf(many, one, more))
		}
	}
	say(n.Retired, "message deleted, past the clinic’s time", "messages deleted, past the clinic’s time")
	say(n.Sessions, "old sign-in taken away", "old sign-ins taken away")
	say(n.PageSessions, "patient’s session taken away", "patients’ sessions taken away")
	say(n.Proofs+n.Tries, "counted try taken away", "counted tries taken away")
	say(int64(n.WithoutKey), "patient without a key", "patients without a key")
	say(int64(n.WithoutReview), "message in review without its review", "messages in review without their review")
	say(int64(n.WithoutDelivery), "signed message without its notice", "signed messages without their notice")
	say(int64(n.WithoutPage), "signed message without its page", "signed messages without their page")
	if len(words) == 0 {
		words = []string{"nothing to take away, and every record whole"}
	}
	return words, n.Orphans() > 0
}
