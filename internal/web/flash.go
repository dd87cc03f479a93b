package web

import "net/http"

// flash is a code for one sentence that the next page shows. Only these exist, so nothing can be put into a page's
// mouth by a cookie.
type flash string

// What can be said after a redirect.
const (
	saidNothing   flash = ""
	saidClinic    flash = "clinic"
	saidAsked     flash = "asked"
	saidSaved     flash = "saved"
	saidPatient   flash = "patient"
	saidBrief     flash = "brief"
	saidSubmitted flash = "submitted"
	saidRecalled  flash = "recalled"
	saidApproved  flash = "approved"
	saidReturned  flash = "returned"
	saidUndone    flash = "undone"
	saidWithdrawn flash = "withdrawn"
	saidSettings  flash = "settings"

	saidResent     flash = "resent"
	saidMarkedSent flash = "marked-sent"
	saidEnded      flash = "ended"
	saidPaused     flash = "paused"
	saidResumed    flash = "resumed"
	saidRetried    flash = "retried"
	saidScheduled  flash = "scheduled"

	saidNetwork    flash = "network"
	saidUnblocked  flash = "unblocked"
	saidJoined     flash = "joined"
	saidLeft       flash = "left"
	saidAssigned   flash = "assigned"
	saidDisabled   flash = "disabled"
	saidEnabled    flash = "enabled"
	saidGlassEnded flash = "glass-ended"
	saidReviewed   flash = "reviewed"
	saidSignFresh  flash = "sign-fresh"
)

func (f flash) sentence() string {
	switch f {
	case saidSaved:
		return "Saved."
	case saidPatient:
		return "The patient is saved."
	case saidBrief:
		return "The brief is saved."
	case saidSubmitted:
		return "Submitted. It is on the doctor's worklist now."
	case saidRecalled:
		return "You took it back. You can edit it again."
	case saidApproved:
		return "Signed. The notice goes out when the time to undo is over."
	case saidReturned:
		return "Returned with your note."
	case saidUndone:
		return "Your signature is undone. Nothing was sent."
	case saidWithdrawn:
		return "The message is withdrawn."
	case saidSettings:
		return "Saved. The next draft uses them."
	case saidResent:
		return "The notice goes out again."
	case saidMarkedSent:
		return "Recorded as sent, on your word."
	case saidEnded:
		return "Ended. Whoever used it is signed out."
	case saidPaused:
		return "Paused. What is signed is kept and waits."
	case saidResumed:
		return "Resumed. What waited goes out now."
	case saidRetried:
		return "On their way once more."
	case saidScheduled:
		return "Saved. It goes out when you said."
	case saidNetwork:
		return "Added. It is in force in every process within a few seconds."
	case saidUnblocked:
		return "Taken off."
	case saidJoined:
		return "Added. They can see this patient now."
	case saidLeft:
		return "Taken off. They cannot see this patient any more."
	case saidAssigned:
		return "Saved. They sign in again and then have the new role."
	case saidDisabled:
		return "Switched off. Whoever used the account is signed out."
	case saidEnabled:
		return "Switched on again. They sign in anew."
	case saidGlassEnded:
		return "Your emergency access is over."
	case saidReviewed:
		return "Reviewed. Your note is kept with it."
	case saidSignFresh:
		return "Saved. It holds from the next signature on."
	default:
		return f.ofSteering()
	}
}

// ofSteering are the sentences of who steers the clinic.
func (f flash) ofSteering() string {
	return map[flash]string{
		saidClinic: "Saved. It holds from now on, in every process within a few seconds.",
		saidAsked:  "Asked for. A worker takes it up within a few seconds.",
	}[f]
}

const flashCookie = "__Host-said"

func setFlash(c *call, said flash) {
	if said != saidNothing {
		setCookie(c, flashCookie, string(said), 60, http.SameSiteLaxMode)
	}
}

// takeFlash reads the sentence and forgets it.
func takeFlash(c *call) string {
	cookie, err := c.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	setCookie(c, flashCookie, "", -1, http.SameSiteLaxMode)
	return flash(cookie.Value).sentence()
}

// setCookie sets one of our own cookies for maxAge seconds: 0 is until the browser closes, less than 0 is gone.
func setCookie(c *call, name, value string, maxAge int, site http.SameSite) {
	c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: site})
}
