package clinic

// The sentences for states and codes: the one place where a provider's number becomes words. Twilio's and SendGrid's
// codes are those of their error references.

func stepTitle(state string) string {
	return map[string]string{
		"queued": "Notice queued", "sending": "Handing the notice to the provider", "unknown": "Not known whether it was sent",
		"needs_person": "Needs a person: not known whether it was sent", "accepted": "Accepted by the provider", "in_transit": "On its way",
		"sent": "Sent to the network", "delivered": "Delivered", "opened": "Opened by the patient", "acknowledged": "Acknowledged by the patient",
		"undelivered": "Did not arrive", "failed": "The provider refused it; nothing was sent", "refused": "Not sent: refused by us",
		"cancelled": "Cancelled before it was sent", "expired": "Expired before it could be sent",
	}[state]
}

// decisionTitle is the step of a delivery that a person settled.
func decisionTitle(deed Deed) string {
	return map[Deed]string{DeliveryResend: "To be sent again, by decision of", DeliveryMarkSent: "Recorded as sent, on the word of",
		DeliveryRetry: "A further round, by decision of"}[deed]
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

func codeWords(code string) string {
	if words, ok := codes[code]; ok {
		return words
	}
	return "The provider's code is " + code + "."
}

// codes are ours, plain HTTP statuses, Twilio's error numbers and SendGrid's kinds of bounces.
var codes = map[string]string{
	"unreachable":     "The provider could not be reached.",
	"dns":             "The provider's address could not be found.",
	"tls":             "There was no safe connection to the provider.",
	"before_headers":  "The request did not go out.",
	"start_window":    "It was claimed too late to begin.",
	"timeout":         "The provider did not answer in time.",
	"reset":           "The connection broke after the request had gone out.",
	"unreadable":      "The provider's answer could not be read.",
	"not_found":       "The provider was asked and does not have it.",
	"cannot_ask":      "The provider cannot be asked about it.",
	"lease_expired":   "The worker stopped in the middle.",
	"opted_out":       "The patient has opted out of this address.",
	"contact_changed": "The patient's address was changed after signing.",
	"seal":            "What was signed does not match what is stored. Tell your administrator.",
	"withdrawn":       "The message was withdrawn.",
	"expired":         "It could not be sent in time.",
	"no_provider":     "No provider is set up for this channel. Tell your administrator.",
	"bad_address":     "The provider does not accept this address.",
	"failed":          "The provider could not send it, and gave no reason.",
	"canceled":        "It was cancelled at the provider.",

	"400": "The provider did not understand the request. Tell your administrator.",
	"401": "The provider does not accept our credentials. Tell your administrator.",
	"403": "The provider does not accept our credentials. Tell your administrator.",
	"404": "The provider does not know our account. Tell your administrator.",
	"413": "The provider says that the message is too large. Tell your administrator.",
	"429": "The provider asks us to slow down.",
	"500": "The provider had an error of its own.",
	"502": "The provider had an error of its own.",
	"503": "The provider was not available.",

	"20003": "The SMS provider does not accept our credentials. Tell your administrator.",
	"20429": "The SMS provider asks us to slow down.",
	"20500": "The SMS provider had an error of its own.",
	"21211": "The number is not a valid phone number.",
	"21408": "Sending SMS to this country is switched off.",
	"21610": "The patient has opted out by SMS (STOP).",
	"21612": "The number cannot be reached by SMS from ours.",
	"21614": "The number is not a mobile number.",
	"30003": "The phone could not be reached: switched off, or out of range.",
	"30004": "The message was blocked by the phone or the carrier.",
	"30005": "The number does not exist or is no longer in use.",
	"30006": "The number is a landline or cannot receive SMS.",
	"30007": "The carrier filtered the message.",
	"30008": "The carrier could not deliver it, and gave no reason.",
	"30034": "The sender is not registered with the carrier. Tell your administrator.",
	"30610": "The carrier holds it back during its quiet hours.",

	"bounce":   "The mailbox does not exist or refused the message.",
	"blocked":  "The receiving mail server blocked the message.",
	"dropped":  "The provider dropped it: the address bounced or opted out before.",
	"deferred": "The receiving mail server asks to wait.",
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
		"stopped": "The draft was interrupted.",
	}[code]
	if !ok {
		words = "The drafting model gave no usable draft."
	}
	return words
}
