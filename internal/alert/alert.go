// Package alert is what people are woken for, as data: the rules with their thresholds and what to do, the hysteresis
// between firing and clear, and the words of a notification. It does no I/O: clinic measures and keeps, worker sends.
//
// Whatever it says holds codes, ids and numbers, and nothing of a patient.
package alert

// Unit is what a rule's value is counted in.
type Unit string

// The units. On is 1 while something is the case.
const (
	Count   Unit = "count"
	Seconds Unit = "seconds"
	Hours   Unit = "hours"
	Share   Unit = "share" // of 1
	On      Unit = "on"
)

// Rule says when people are told. A value of at least Fire in For evaluations in a row fires; at most Clear in Until in a
// row clears. In between it stays what it was.
type Rule struct {
	Name        string // also the heading in docs/OPERATIONS.md, the code in Sentry and the type of the webhook
	Title       string
	What        string // what is measured
	Do          string // what to do first
	Unit        Unit
	Fire, Clear float64
	For, Until  int
	Threat      bool // somebody may be doing it
}

// Rules are all of them, in the order in which they are shown. One evaluation is made a minute.
var Rules = []Rule{
	{Name: "sending_stopped", Title: "Sending is stopped", What: "the fence holds everything back, because the database may have lost something", Unit: On, Fire: 1, For: 1, Until: 1,
		Do: "Make sure that no process runs on another database, then run countersign reconcile --dry-run."},
	{Name: "breaker_open", Title: "A channel is paused", What: "a channel's breaker is open, so that no notice goes out on it", Unit: On, Fire: 1, For: 1, Until: 3,
		Do: "Read the reason on the status page. Refused credentials or an empty account need you; an outage of the provider ends by itself."},
	{Name: "queue_age", Title: "Notices or drafts are late", What: "how long the oldest one has been due, of channels that are not paused", Unit: Seconds, Fire: 120, Clear: 15, For: 2, Until: 2,
		Do: "See whether a worker runs and is ready (its /readyz), and whether Redis answers. Nothing is lost meanwhile."},
	{Name: "unknown", Title: "Many deliveries nobody knows of", What: "deliveries that may or may not have been sent", Unit: Count, Fire: 5, Clear: 1, For: 2, Until: 2,
		Do: "Look at the provider's status. They are looked up by themselves, and come to a person after 15 minutes."},
	{Name: "needs_person", Title: "Deliveries wait for a person", What: "deliveries of which nobody could find out whether they were sent", Unit: Count, Fire: 1, For: 2, Until: 1,
		Do: "The care team decides each of them on the message: it was sent, or send again. Tell them if nobody is at it."},
	{Name: "error_rate", Title: "Requests fail", What: "the share of answers of 5xx in the last five minutes", Unit: Share, Fire: .01, Clear: .001, For: 2, Until: 5,
		Do: "Look at the newest errors in Sentry or the log, by route. Roll back if it began with a release."},
	{Name: "latency", Title: "Pages are slow", What: "the 95th percentile of the first response in the last five minutes", Unit: Seconds, Fire: .25, Clear: .1, For: 3, Until: 5,
		Do: "See on the status page whether queries are slow too: then it is Postgres, else the web processes need more of the machine."},
	{Name: "uptime", Title: "The web was away", What: "minutes of the last fifteen without a heartbeat or a ready answer", Unit: Count, Fire: 2, Clear: 0, For: 1, Until: 2,
		Do: "Ask /readyz of each web process. Postgres being away, or migrations behind, are the usual reasons."},
	{Name: "sealing_lag", Title: "The audit trail is not being sealed", What: "how long the oldest event has waited for its place in the ledger", Unit: Seconds, Fire: 120, Clear: 10, For: 2, Until: 2,
		Do: "See whether a worker with LEDGER_KEY runs, then what its log says of the ledger. Run countersign audit verify if it says broken."},
	{Name: "backup_age", Title: "There is no fresh backup", What: "how long ago the last backup was made", Unit: Hours, Fire: 26, Clear: 25, For: 3, Until: 1,
		Do: "Run countersign backup create by hand, then see why its schedule did not."},
	{Name: "budget", Title: "Drafting spends much", What: "what one person's drafts cost today, as a share of what stops them", Unit: Share, Fire: .5, Clear: .4, For: 1, Until: 1,
		Do: "Ask the person whether they mean it. Drafting stops by itself at the whole budget; writing by hand never does."},
	{Name: "webhook_forged", Title: "Reports of providers are forged", What: "reports with a wrong signature in the last quarter of an hour", Unit: Count, Fire: 10, Clear: 2, For: 1, Until: 3, Threat: true,
		Do: "If a key was changed at the provider, set it here. Else block the network that they come from."},
	{Name: "sign_in_refused", Title: "Sign-ins are refused", What: "refused sign-ins in the last quarter of an hour", Unit: Count, Fire: 20, Clear: 5, For: 1, Until: 3, Threat: true,
		Do: "Search the trail for session.open, refused: one address is an attack to block, many people are a fault of the sign-in provider."},
	{Name: "person_refused", Title: "Somebody is refused again and again", What: "refusals of one person in the last quarter of an hour", Unit: Count, Fire: 20, Clear: 5, For: 1, Until: 3, Threat: true,
		Do: "Search the trail for the person. Wrong role: an administrator corrects it. Anything else: end their sessions and call them."},
	{Name: "ids_tried", Title: "Somebody tries ids", What: "records that one person asked for and may not know of, in the last quarter of an hour", Unit: Count, Fire: 10, Clear: 2, For: 1, Until: 3, Threat: true,
		Do: "End the person's sessions, call them, and keep the trail of the last hours."},
	{Name: "mass_views", Title: "Somebody reads very many patients", What: "patients whom one person opened in the last hour", Unit: Count, Fire: 60, Clear: 40, For: 1, Until: 3, Threat: true,
		Do: "Ask the person, at once. If it was not them, end their sessions and follow the plan for a breach."},
	{Name: "mass_exports", Title: "Somebody exports again and again", What: "exports of one person in the last hour", Unit: Count, Fire: 3, Clear: 1, For: 1, Until: 3, Threat: true,
		Do: "Ask the person, at once. If it was not them, end their sessions and follow the plan for a breach."},
	{Name: "glass_used", Title: "Emergency access was used", What: "emergency accesses that nobody has reviewed yet", Unit: Count, Fire: 1, For: 1, Until: 1, Threat: true,
		Do: "An administrator reviews each one under Emergency access."},
	{Name: "page_guessing", Title: "Somebody guesses at patients' pages", What: "wrong dates of birth and wrong links in the last quarter of an hour", Unit: Count, Fire: 20, Clear: 5, For: 1, Until: 3, Threat: true,
		Do: "Search the trail for page.prove, refused. Links lock by themselves after five; block the network if it is one."},
}

// Of is a rule by its name.
func Of(name string) (Rule, bool) {
	for _, r := range Rules {
		if r.Name == name {
			return r, true
		}
	}
	return Rule{}, false
}

// State is where an alert stands. There is no row of what is well.
type State string

// Pending has been over the threshold, and not for long enough yet.
const (
	None    State = ""
	Pending State = "pending"
	Firing  State = "firing"
	Cleared State = "cleared"
)

// Step is one evaluation. run counts the evaluations in a row that speak for a change: over Fire while pending, down to
// Clear while firing.
func (r Rule) Step(s State, run int, value float64) (State, int) {
	switch {
	case s == Firing && value > r.Clear:
		return Firing, 0
	case s == Firing && run+1 >= r.Until:
		return Cleared, 0
	case s == Firing:
		return Firing, run + 1
	case value < r.Fire:
		return None, 0
	case run+1 >= r.For:
		return Firing, 0
	default:
		return Pending, run + 1
	}
}
