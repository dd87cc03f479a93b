package clinic

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// SignInAgain is the code of a refusal that a fresh sign-in lifts.
const SignInAgain = "sign_in_again"

// fresh is the rule of who signs: the identity provider must have seen them within the clinic's time, so that a signature
// is not made by whoever sits down at an open screen. An actor without a session stands at no browser: no cookie leads to
// one.
func (t *tx) fresh() error {
	a := t.actor
	if a.SessionID == uuid.Nil || t.at.Sub(a.SignedInAt) <= t.c.signFresh {
		return nil
	}
	return refuse(Forbidden, SignInAgain, fmt.Sprintf("You signed in more than %s ago. Sign in again, and then sign; nothing of your work is lost.",
		spoken(t.c.signFresh)))
}

// spoken is a length of time in words: "4 hours", "90 minutes".
func spoken(d time.Duration) string {
	n, unit := int(d.Minutes()), "minute"
	if n%60 == 0 {
		n, unit = n/60, "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
