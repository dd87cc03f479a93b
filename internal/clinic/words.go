package clinic

import "strings"

// The sentences for states; those for codes are in codes.go.

func stepTitle(state string) string {
	return map[string]string{
		"queued": "Notice queued", "sending": "Hand-over to the provider", "unknown": "Not known whether it was sent",
		"needs_person": "Needs a person: not known whether it was sent", "accepted": "Accepted by the provider", "in_transit": "On its way",
		"sent": "Sent to the network", "delivered": "Delivered", "opened": "Opened by the patient", "acknowledged": "Acknowledged by the patient",
		"undelivered": "Did not arrive", "failed": "The provider refused it; nothing was sent", "refused": "Not sent: refused by us",
		"cancelled": "Cancelled before it was sent", "expired": "Expired before it could be sent",
	}[state]
}

// ofReminder says of a reminder what words say of a notice.
func ofReminder(kind, words string) string {
	if kind != reminderKind {
		return words
	}
	return strings.NewReplacer("Notice queued", "Reminder queued", "the notice", "the reminder", "Expired before it could be sent. It could not be sent in time. Its doctor decides what to do.",
		"Expired before it could be sent.").Replace(words)
}

// decisionTitle is the step of a delivery that a person settled.
func decisionTitle(deed Deed) string {
	return map[Deed]string{DeliveryResend: "To be sent again, by decision of", DeliveryMarkSent: "Recorded as sent, on the word of",
		DeliveryRetry: "A further round, by decision of"}[deed]
}

// breakerTitle says where a channel stands.
func breakerTitle(state string) string {
	return map[string]string{breakerClosed: "Sending", breakerOpen: "Paused", breakerHalfOpen: "Trying one notice"}[state]
}

// deliveryLevel is how a state looks: done, live, stop, or quiet.
func deliveryLevel(state string) string {
	switch state {
	case "delivered", "opened", "acknowledged":
		return "good"
	case "queued", "sending", "accepted", "in_transit", "sent":
		return "live"
	case "unknown", "needs_person", "undelivered", "failed", "refused", "expired":
		return "stop"
	}
	return ""
}

// deliveryWords says where a notice stands, why, and what happens next without anybody's doing.
func deliveryWords(state, code string) string {
	words := stepTitle(state) + "."
	if state == "queued" && code != "" {
		return codeWords(code) + " It will be tried again."
	}
	if code == "" || deliveryLevel(state) != "stop" {
		return words
	}
	return words + " " + codeWords(code)
}

// unsentWords says of a message that came back to its doctor why its notice was not sent in time.
func unsentWords(code string) string {
	why := codeWords(code)
	if code == "expired" {
		why = "It waited until its time was over."
	}
	return "Signed, but not sent in time. " + why + " Nothing went out."
}

// modelWords says why there is no draft, and never more than that.
func modelWords(code string) string {
	if code == "" {
		return ""
	}
	words, ok := map[string]string{
		"timeout": "The drafting model took too long.", "unreachable": "The drafting model cannot be reached.",
		"rate_limited": "The drafting model is busy.", "refused": "The drafting model declined to write this.",
		"truncated": "The draft broke off in the middle.", "empty": "The drafting model answered with nothing.",
		"gave_up": "The draft was begun three times and never finished.", "by_hand": "Somebody chose to write by hand.",
		"moved_on": "The message had moved on before the draft was ready.", "broken": "The draft broke off in the middle.",
		"stopped": "The draft was interrupted.", "drafting_off": "This clinic has switched off drafting by the model.",
	}[code]
	if !ok {
		words = "The drafting model gave no usable draft."
	}
	return words
}
