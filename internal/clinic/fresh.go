package clinic

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// SignInAgain is the code of a refusal that a fresh sign-in lifts.
const SignInAgain = "sign_in_again"

// SignFresh is how old a sign-in may be when its person signs: as an administrator set it, or else as the installation has it.
type SignFresh struct {
	Set      time.Duration // 0: by nobody
	Standard time.Duration // SIGN_FRESH
}

// Now is the one that holds.
func (s SignFresh) Now() time.Duration {
	if s.Set != 0 {
		return s.Set
	}
	return s.Standard
}

// SignFreshTimes are the choices of the form, from the shortest to the longest that may be.
var SignFreshTimes = []time.Duration{signFreshLeast, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, signFreshMost}

func (t *tx) signFresh(ctx context.Context) (SignFresh, error) {
	s := SignFresh{Standard: t.c.signFresh}
	cl, err := t.ClinicGet(ctx, t.clinicID())
	if cl.SignFreshMinutes != nil {
		s.Set = time.Duration(*cl.SignFreshMinutes) * time.Minute
	}
	return s, err
}

// fresh is the rule of who signs: the identity provider must have seen them within the clinic's time, so that a signature
// is not made by whoever sits down at an open screen. An actor without a session stands at no browser: no cookie leads to
// one. Who has signed in within the shortest time is not looked up.
func (t *tx) fresh(ctx context.Context) error {
	age := t.at.Sub(t.actor.SignedInAt)
	if t.actor.SessionID == uuid.Nil || age <= signFreshLeast {
		return nil
	}
	s, err := t.signFresh(ctx)
	if err != nil || age <= s.Now() {
		return err
	}
	return refuse(Forbidden, SignInAgain, fmt.Sprintf("You signed in more than %s ago. Sign in again, and then sign; nothing of your work is lost.",
		Spoken(s.Now())))
}

// SecurityEdit sets how old a sign-in may be when its person signs: 15 minutes to 12 hours, in whole minutes, or 0 for what the
// installation has. It holds from the next signature on. Fields: sign_fresh.
func (c *Clinic) SecurityEdit(ctx context.Context, a Actor, fresh time.Duration) error {
	return c.do(ctx, a, SecurityEdit, Subject{Kind: "clinic", ID: a.ClinicID}, func(t *tx) error {
		if fresh != 0 && (fresh < signFreshLeast || fresh > signFreshMost || fresh%time.Minute != 0) {
			return invalid(map[string]string{"sign_fresh": fmt.Sprintf("Please choose a time between %s and %s.", Spoken(signFreshLeast), Spoken(signFreshMost))})
		}
		before, err := t.signFresh(ctx)
		if err != nil {
			return err
		}
		to := db.ClinicSignFreshParams{ID: t.clinicID()}
		if fresh != 0 {
			minutes := int32(fresh / time.Minute)
			to.Minutes = &minutes
		}
		t.detail["setting"], t.detail["minutes"], t.detail["before"] = "sign_fresh", int(fresh.Minutes()), int(before.Set.Minutes())
		return t.ClinicSignFresh(ctx, to)
	})
}

// Spoken is a length of time in words: "4 hours", "90 minutes".
func Spoken(d time.Duration) string {
	n, unit := int(d.Minutes()), "minute"
	if n%60 == 0 {
		n, unit = n/60, "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
