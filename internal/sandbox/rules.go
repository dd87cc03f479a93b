package sandbox

import "strings"

// The recipients that behave. The first row that matches counts; everybody else is sent to and delivered.
//
//	e-mail, local part begins "bounce"   accepted, then a bounce event
//	e-mail, local part begins "drop"     accepted, then a dropped event (nothing is tried)
//	e-mail, local part begins "defer"    accepted, deferred once, then delivered
//	+15005550001                         refused: 21211 not a valid number
//	+15005550002                         refused: 21612 cannot be reached from this sender
//	+15005550003                         refused: 21408 region switched off
//	+15005550004                         refused: 21610 opted out
//	+15005550009                         refused: 21614 not a mobile number
//	phone ending 0004                    accepted, then undelivered with 30005 unknown handset
//
// The +1500555000x numbers are the magic numbers of Twilio's own test credentials.
var rules = []rule{
	{sendgrid, localPrefix("bounce"), outcome{events: []string{"processed", "bounce"}}},
	{sendgrid, localPrefix("drop"), outcome{events: []string{"dropped"}}},
	{sendgrid, localPrefix("defer"), outcome{events: []string{"processed", "deferred", "delivered"}}},
	{twilio, exactly("+15005550001"), outcome{refusal: 21211}},
	{twilio, exactly("+15005550002"), outcome{refusal: 21612}},
	{twilio, exactly("+15005550003"), outcome{refusal: 21408}},
	{twilio, exactly("+15005550004"), outcome{refusal: 21610}},
	{twilio, exactly("+15005550009"), outcome{refusal: 21614}},
	{twilio, ending("0004"), outcome{events: []string{"sent", "undelivered"}}},
	{sendgrid, anybody, outcome{events: []string{"processed", "delivered"}}},
	{twilio, anybody, outcome{events: []string{"sent", "delivered"}}},
}

// The providers by the names that the log and the faults use.
const (
	sendgrid = "sendgrid"
	twilio   = "twilio"
	openai   = "openai"
)

type rule struct {
	provider string
	matches  func(recipient string) bool
	outcome  outcome
}

// outcome is a refusal (a Twilio error code), or the events that follow acceptance.
type outcome struct {
	refusal int
	events  []string
}

func outcomeOf(provider, recipient string) outcome {
	for _, r := range rules {
		if r.provider == provider && r.matches(recipient) {
			return r.outcome
		}
	}
	return outcome{}
}

func anybody(string) bool { return true }

func localPrefix(prefix string) func(string) bool {
	return func(address string) bool { return strings.HasPrefix(strings.ToLower(address), prefix) }
}

func exactly(number string) func(string) bool {
	return func(recipient string) bool { return recipient == number }
}

func ending(digits string) func(string) bool {
	return func(recipient string) bool { return strings.HasSuffix(recipient, digits) }
}
