package clinic

import "time"

// The limits and waits of RULES and DELIVERY, in one place. Lengths are in characters.

const (
	patientsPerPage = 50
	searchMost      = 20
	worklistPage    = 50
	deliveryPage    = 50
	unreadMost      = 1000 // unread messages that are counted; beyond it, "over 1,000" will do

	textMost    = 6000            // a message; the doctor's word limit is a finding (C15), not a refusal
	mergeWindow = 5 * time.Minute // what one person saves within it is one version

	sessionIdle = 15 * time.Minute
	sessionMost = 12 * time.Hour
	touchEvery  = time.Minute   // how coarse last_seen_at is, to spare a write per request
	signFresh   = 4 * time.Hour // unless SIGN_FRESH says otherwise

	signFreshLeast = 15 * time.Minute // whatever an administrator says
	signFreshMost  = sessionMost

	sessionsPerPage = 50

	viewWindow = sessionIdle // the same look by the same session within it is one act
	liveWindow = sessionMost // a page that refreshes itself is none

	pageSession  = 15 * time.Minute
	proofsPerDay = 10 // wrong ones per patient; the five per link are counted in the page's own row

	networksMost   = 1000 // entries in force: each request is held against all of them
	reportsPerDay  = 500  // kinds of reports that browsers may make in a day
	reportDays     = 30
	reportsPerPage = 100

	draftAttempts = 3               // the model is begun at most so often for one request
	draftRetryIn  = 5 * time.Second // times the attempt: the wait after a failure that may pass
	draftPrompt   = 8_000           // tokens: the most one draft is taken to cost, asked and answered
	draftAnswer   = 2_000

	scheduleMost = 60 * 24 * time.Hour // how far ahead a notice may be put off

	backoffFirst = 5 * time.Second
	backoffMost  = 10 * time.Minute
	sweepMost    = 100
	receiveMost  = 200 // reports in one transaction
	shareMost    = 32  // claims or records in one transaction
	shareFlights = 4   // such transactions at once, of each kind, when one takes long: else one, which more share

	breakerMost      = 5 // failures in a row that open a channel's breaker
	breakerPauseMost = 10 * time.Minute
	unreportedMost   = 200 // messages nobody knows, in one list

	glassTime      = time.Hour // how long break-glass is open
	glassReason    = 20        // characters at least
	glassesPerDay  = 20        // patients whom one person opens in 24 hours
	glassTriesMost = 10        // look-ups that found nobody, by one person in an hour
	glassPage      = 50
	clinicChanges  = 20 // lines of who changed the clinic's settings
	usagePeople    = 500
	usageDays      = 30
	promptDays     = 365
	teamsPerPage   = 50
	alertsPerPage  = 30

	auditPage       = 50
	exportBatch     = 1000            // events at a time, and in memory
	checksShown     = 20              // verifications on their page
	checkLease      = 2 * time.Minute // how long a worker that verifies may be silent
	checkTries      = 3               // workers that may be lost over one verification
	accessPage      = 26              // reviews, half a year of them
	accessOverdue   = 7 * 24 * time.Hour
	manyPatients    = 50 // that one person looked at in a week
	disclosuresMost = 2000
)

// Priorities from the least to the most urgent; the index is what is stored.
var Priorities = []string{"low", "normal", "high", "urgent"}

const urgent = 3

// dueIn is how long a message of each priority may wait for its signature.
var dueIn = []time.Duration{72 * time.Hour, 24 * time.Hour, 8 * time.Hour, 2 * time.Hour}

// notAfter is how long a notice may wait before it goes back to the doctor instead of out late.
func notAfter(priority int32) time.Duration {
	if priority == urgent {
		return 4 * time.Hour
	}
	return 72 * time.Hour
}
