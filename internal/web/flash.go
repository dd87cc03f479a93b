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

	saidCalled flash = "called"

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
	saidSignedOff  flash = "signed-off"

	saidAcknowledged flash = "acknowledged"
	saidSilenced     flash = "silenced"
	saidUnsilenced   flash = "unsilenced"
)

// sentences are what the next page says.
var sentences = map[flash]string{
	saidSaved:        "Saved.",
	saidPatient:      "The patient is saved.",
	saidBrief:        "The brief is saved.",
	saidSubmitted:    "Submitted. It is on the doctor's worklist now.",
	saidRecalled:     "You took it back. You can edit it again.",
	saidApproved:     "Signed. The notice goes out when the time to undo is over.",
	saidReturned:     "Returned with your note.",
	saidUndone:       "Your signature is undone. Nothing was sent.",
	saidWithdrawn:    "The message is withdrawn.",
	saidSettings:     "Saved. The next draft uses them.",
	saidResent:       "The notice goes out again.",
	saidMarkedSent:   "Recorded as sent, on your word.",
	saidEnded:        "Ended. Whoever used it is signed out.",
	saidPaused:       "Paused. What is signed is kept and waits.",
	saidResumed:      "Resumed. What waited goes out now.",
	saidRetried:      "On their way once more.",
	saidScheduled:    "Saved. It goes out when you said.",
	saidCalled:       "Recorded, with your name.",
	saidNetwork:      "Added. It is in force in every process within a few seconds.",
	saidUnblocked:    "Taken off.",
	saidJoined:       "Added. They can see this patient now.",
	saidLeft:         "Taken off. They cannot see this patient any more.",
	saidAssigned:     "Saved. They sign in again and then have the new role.",
	saidDisabled:     "Switched off. Whoever used the account is signed out.",
	saidEnabled:      "Switched on again. They sign in anew.",
	saidGlassEnded:   "Your emergency access is over.",
	saidReviewed:     "Reviewed. Your note is kept with it.",
	saidSignFresh:    "Saved. It holds from the next signature on.",
	saidAcknowledged: "Acknowledged. Nobody is told again until it is over.",
	saidSilenced:     "Silenced. It stays on this page.",
	saidUnsilenced:   "The silence is over.",
	saidSignedOff:    "Signed off. Your note is kept with it.",
	saidClinic:       "Saved. It holds from now on, in every process within a few seconds.",
	saidAsked:        "Asked for. A worker takes it up within a few seconds.",
}

func (f flash) sentence() string { return sentences[f] }

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
