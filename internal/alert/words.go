package alert

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Words is a value as people read it.
func (u Unit) Words(value float64) string {
	switch u {
	case Seconds:
		return seconds(value)
	case Hours:
		return few(value) + " h"
	case Share:
		return few(value*100) + " %"
	case On:
		if value > 0 {
			return "yes"
		}
		return "no"
	default:
		return strconv.FormatFloat(math.Round(value), 'f', -1, 64)
	}
}

func seconds(value float64) string {
	switch {
	case value < 1:
		return strconv.FormatFloat(math.Round(value*1000), 'f', -1, 64) + " ms"
	case value < 120:
		return few(value) + " s"
	case value < 2*3600:
		return few(value/60) + " min"
	default:
		return few(value/3600) + " h"
	}
}

// few is a number with as many digits as a person wants: one after the point below ten.
func few(value float64) string {
	if value < 10 {
		return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Round(value), 'f', -1, 64)
}

// Fires is the threshold in words, and Clears when it is over.
func (r Rule) Fires() string {
	if r.Unit == On {
		return "as soon as it is so" + inARow(r.For)
	}
	return "from " + r.Unit.Words(r.Fire) + inARow(r.For)
}

// Clears is the other threshold in words.
func (r Rule) Clears() string {
	if r.Unit == On {
		return "when it is not so any more" + inARow(r.Until)
	}
	if r.Clear == 0 {
		return "at " + r.Unit.Words(0) + inARow(r.Until)
	}
	return "at " + r.Unit.Words(r.Clear) + " or less" + inARow(r.Until)
}

func inARow(minutes int) string {
	if minutes <= 1 {
		return ""
	}
	return fmt.Sprintf(", %d minutes in a row", minutes)
}

// The kinds of notices: it began, it still is, it is over.
const (
	Fired    = "fired"
	Repeated = "repeated"
	Over     = "cleared"
)

// Notice is what leaves the house about an alert, whichever way: codes, ids and numbers.
type Notice struct {
	ID      string // of this notice; the same when it is sent again
	Alert   string // of the alert: the same from fired to cleared
	Rule    Rule
	Kind    string
	Subject string // a code, such as a channel, or a person's id
	Value   float64
	Since   time.Time
	At      time.Time
}

// Link is where people read on; base is the public address.
func Link(base string) string { return base + "/alerts" }

// Letter is a notice as an e-mail, in plain words.
func (n Notice) Letter(base, env string) (subject, body string) {
	head := map[string]string{Fired: "Alert", Repeated: "Still", Over: "Over"}[n.Kind]
	subject = fmt.Sprintf("[Countersign %s] %s: %s", env, head, n.Rule.Title)
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch n.Kind {
	case Over:
		say("%s: this is over.", n.Rule.Title)
	case Repeated:
		say("%s: this still is so, and nobody has acknowledged it.", n.Rule.Title)
	default:
		say("%s.", n.Rule.Title)
	}
	say("")
	say("What:      %s", n.Rule.What)
	if n.Subject != "" {
		say("Of:        %s", n.Subject)
	}
	say("Value:     %s (fires %s; clears %s)", n.Rule.Unit.Words(n.Value), n.Rule.Fires(), n.Rule.Clears())
	say("Since:     %s UTC", n.Since.UTC().Format("2 January 2006, 15:04"))
	say("Seen:      %s UTC", n.At.UTC().Format("2 January 2006, 15:04"))
	say("")
	if n.Kind != Over {
		say("What to do: %s", n.Rule.Do)
		say("")
	}
	say("Acknowledge or silence it: %s", Link(base))
	say("Runbook: docs/OPERATIONS.md, section %s", n.Rule.Name)
	return subject, b.String()
}

// Event is a notice as the webhook's JSON. API.md describes it.
type Event struct {
	Type      string    `json:"type"` // alert.fired, alert.repeated, alert.cleared
	Timestamp time.Time `json:"timestamp"`
	Data      EventData `json:"data"`
}

// EventData is the alert that an Event is about.
type EventData struct {
	Alert     string    `json:"alert"`
	Rule      string    `json:"rule"`
	Title     string    `json:"title"`
	Subject   string    `json:"subject"`
	Value     float64   `json:"value"`
	Unit      Unit      `json:"unit"`
	Threshold float64   `json:"threshold"`
	Since     time.Time `json:"since"`
	Threat    bool      `json:"threat"`
	Do        string    `json:"do"`
	Link      string    `json:"link"`
}

// Event is the notice for the webhook.
func (n Notice) Event(base string) Event {
	return Event{Type: "alert." + n.Kind, Timestamp: n.At.UTC(), Data: EventData{Alert: n.Alert, Rule: n.Rule.Name, Title: n.Rule.Title, Subject: n.Subject,
		Value: n.Value, Unit: n.Rule.Unit, Threshold: n.Rule.Fire, Since: n.Since.UTC(), Threat: n.Rule.Threat, Do: n.Rule.Do, Link: Link(base)}}
}
