package clinic

import (
	"cmp"
	"slices"
	"strings"
)

// deedWords are the deeds as they stand on the trail's screens: what somebody did. A test sees to it that none is missing.
var deedWords = map[Deed]string{
	SessionOpen: "signed in", SessionEnd: "signed out", SessionList: "looked at their sign-ins", SessionEndOther: "ended another of their sign-ins",
	SessionEndOthers: "ended all their other sign-ins", SessionListAll: "looked at everybody’s sign-ins", SessionEndAny: "ended somebody’s sign-in",
	WorklistShow: "looked at the worklist",
	PatientList:  "looked at the list of patients", PatientSearch: "searched patients", PatientShow: "looked at a patient", PatientCreate: "added a patient",
	PatientChange: "opened a patient’s form", PatientEdit: "changed a patient",
	BriefNew: "began a message", BriefShow: "looked at a brief", BriefCreate: "wrote a brief", BriefEdit: "changed a brief",
	DraftShow: "looked at a draft", DraftRequest: "asked for a draft", DraftByHand: "began to write by hand", DraftEdit: "changed a draft",
	DraftCheck: "had a text checked", DraftDiff: "compared versions", DraftClaim: "had the model write", DraftFinish: "took the model’s draft in",
	DraftWrite: "wrote a draft", FindingAnswer: "answered a finding",
	ReviewList: "looked at what is in review", ReviewShow: "looked at a review", ReviewSubmit: "submitted for review", ReviewRecall: "took a submission back",
	ReviewApprove: "signed a message", ReviewReturn: "returned a message", ReviewApproveClinical: "signed a clinical message",
	MessageShow: "looked at a message", MessageUndo: "undid a signature", MessageWithdraw: "withdrew a message", MessageSchedule: "said when it goes out",
	MessageRetire: "deleted a message, past the clinic’s time",
	DeliveryClaim: "began to send a notice", DeliveryRecord: "wrote down what a provider answered", DeliverySweep: "tidied deliveries up",
	DeliveryReceive: "reported on a delivery", DeliveryReconcile: "looked for unknown deliveries", DeliverySettle: "settled an unknown delivery",
	DeliveryResend: "sent a notice again", DeliveryMarkSent: "took a notice as sent", DeliveryList: "looked at deliveries",
	DeliveryPreview: "looked at what sending once more would do", DeliveryRetry: "sent a notice once more", DeliverySend: "sent a notice",
	ReminderMake: "had an unread message followed up", CallList: "looked at whom to call", CallRecord: "called a patient",
	DeliveryRestore: "put deliveries of a restored database in doubt", DeliveryAsk: "asked about deliveries of a restored database",
	SecurityShow: "looked at the security score", SecurityEdit: "set how fresh a signer’s sign-in must be", StatusShow: "looked at the status",
	BreakerOpen: "paused a channel", BreakerClose: "resumed a channel",
	InstanceHold: "stopped all sending", InstanceShow: "looked at the installation", InstanceRelease: "let sending go on",
	SettingsShow: "looked at settings", SettingsEdit: "changed settings",
	PageProve: "proved a date of birth", PageRead: "read their message", PageAcknowledge: "acknowledged a message", PageStop: "stopped notices", ConsentReply: "replied by text",
	QueueView: "looked at the queue board", QueueOperate: "operated the queue board", KeysShow: "looked at the keys", KeysRotate: "turned the keys",
	NetworkList: "looked at the networks", NetworkBlock: "blocked a network", NetworkAllow: "let a network in", NetworkUnblock: "took a network off a list",
	ReportKeep: "reported from a browser", ReportList: "looked at browser reports",
	ClinicCreate: "set up the clinic", StaffPut: "put in a person", StaffList: "looked at people", StaffDisable: "switched a person off", StaffEnable: "switched a person on",
	StaffAssign: "changed a role",
	TeamList:    "looked at care teams", TeamSearch: "searched care teams", TeamShow: "looked at a care team", TeamJoin: "added to a care team", TeamLeave: "took off a care team",
	GlassBreak: "took emergency access", GlassEnd: "gave emergency access back", GlassList: "looked at emergency accesses", GlassReview: "reviewed an emergency access",
	AuditSearch: "searched the audit trail", AuditShow: "looked at an event", AuditProve: "took a proof of an event", AuditExport: "exported the audit trail",
	AuditVerify: "had the ledger verified", AuditChecks: "looked at verifications of the ledger", AuditRun: "verified the ledger", AuditOfPatient: "looked who saw a patient",
	AuditDisclosures: "made an accounting of disclosures", AuditArchive: "took a month of the trail to the archive",
	AlertList: "looked at alerts", AlertAcknowledge: "acknowledged an alert", AlertSilence: "silenced an alert", AlertEvaluate: "had an alert begin or end",
	BackupCreate: "made a backup", BackupRestore: "restored a backup",
	AccessMake: "made an access review", AccessList: "looked at access reviews", AccessShow: "looked at an access review", AccessSign: "signed an access review off",
	ClinicShow: "looked at the clinic’s settings", ClinicEdit: "changed the clinic’s settings", UsageShow: "looked at what drafting costs",
	PromptList: "looked at the versions of the prompt", JobList: "looked at the scheduled jobs", JobRun: "asked for a job to run now", JobNightly: "did the night’s work",
}

// DeedWords is what somebody did, in words.
func DeedWords(d Deed) string { return cmp.Or(deedWords[d], string(d)) }

// DeedGroup is the deeds about one kind of thing, for a list to choose from.
type DeedGroup struct {
	Name  string
	Deeds []Deed
}

// groupNames are the first words of deeds as people say them.
var groupNames = map[string]string{"access": "Access reviews", "alert": "Alerts", "audit": "Audit trail", "backup": "Backups", "breaker": "Channels", "call": "Calls", "brief": "Briefs", "clinic": "Clinic", "consent": "Consent",
	"delivery": "Deliveries", "draft": "Drafts", "finding": "Findings", "glass": "Emergency access", "instance": "Installation", "job": "Scheduled jobs", "keys": "Keys", "message": "Messages",
	"network": "Networks", "page": "Patients’ pages", "patient": "Patients", "prompt": "Prompt versions", "queue": "Queue board", "reminder": "Reminders", "report": "Browser reports", "review": "Reviews", "security": "Security",
	"session": "Sign-ins", "settings": "Settings", "staff": "People", "status": "Status", "team": "Care teams", "usage": "Usage and cost", "worklist": "Worklist"}

// DeedGroups is every deed, for a list to choose from.
func DeedGroups() (groups []DeedGroup) {
	of := map[string][]Deed{}
	for d := range deedWords {
		kind, _, _ := strings.Cut(string(d), ".")
		of[kind] = append(of[kind], d)
	}
	for kind, deeds := range of {
		slices.SortFunc(deeds, func(a, b Deed) int { return strings.Compare(deedWords[a], deedWords[b]) })
		groups = append(groups, DeedGroup{cmp.Or(groupNames[kind], kind), deeds})
	}
	slices.SortFunc(groups, func(a, b DeedGroup) int { return strings.Compare(a.Name, b.Name) })
	return groups
}

// whoWords is an actor as the trail shows them.
func whoWords(kind, name string) string {
	switch ActorKind(kind) {
	case ActorPerson:
		return cmp.Or(name, "Somebody who is not on the list of people any more")
	case ActorWorker:
		return "The worker"
	case ActorProvider:
		return "A provider"
	case ActorPatient:
		return "Whoever held a patient’s link"
	case ActorOperator:
		return "An operator, by command"
	}
	return "Nobody who had signed in"
}

func subjectWords(kind string) string {
	return cmp.Or(map[string]string{"delivery": "a notice", "call": "calls", "draft_request": "a request for a draft", "glass": "an emergency access", "staff": "a person", "session": "a sign-in",
		"trail": "the trail", "event": "an event", "patients": "patients", "patient": "a patient", "message": "a message", "page": "a patient’s page", "network": "a network",
		"clinic": "the clinic", "settings": "settings", "worklist": "the worklist", "export": "an export", "ledger": "the ledger", "access": "an access review",
		"breaker": "a channel", "": ""}[kind], kind)
}

// reasonWords is why something was refused; a code that is not here is shown as it is, without its underscores.
func reasonWords(code string) string {
	if words, ok := map[string]string{"": "", "role": "the role does not include it", "none": "nobody had signed in", "not_found": "not there, or not theirs to see",
		"own": "not on one’s own", "needs_doctor": "it needs a doctor", "nobody": "no patient fits", "several": "more than one patient fits", "proof": "the date of birth was wrong",
		"glass_tries": "too many tries", "glass_day": "too many in a day", "disabled": "the person is switched off", "stale": "the sign-in was too old",
		"signature": "the signature was wrong"}[code]; ok {
		return words
	}
	return strings.ReplaceAll(code, "_", " ")
}
