package clinic_test

// queriesOfNoClinic hold some table to no clinic, each for its reason.
var queriesOfNoClinic = map[string]string{
	"AuditSeen":      "by the session of the actor, which is of one clinic",
	"SessionReplace": "by the hash of a cookie, before anybody is known",

	"AlertSigns":       "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertStrangers":   "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertsLock":       "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertSilences":    "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertsForget":     "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertNoticesTake": "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertNoticeSent":  "the rules are evaluated for all clinics; what fires is of one, or of the installation",
	"AlertsByRule":     "the rules are evaluated for all clinics; what fires is of one, or of the installation",

	"LedgerNext":        "the sealer works for all clinics: one tree over the installation's whole trail",
	"LedgerTake":        "the sealer works for all clinics: one tree over the installation's whole trail",
	"LedgerPlaces":      "a verification reads all of the trail",
	"LedgerLost":        "a verification reads all of the trail",
	"LedgerTwice":       "a verification reads all of the trail",
	"LedgerQueuedAgain": "a verification reads all of the trail",
	"LedgerLeafOf":      "an auditor's command knows an event by its id; no screen asks it",

	"NightlySessions":     "the night's work is for all clinics",
	"NightlyPageSessions": "the night's work is for all clinics",
	"NightlyProofs":       "the night's work is for all clinics",
	"NightlyTries":        "the night's work is for all clinics",
	"EventsHeard":         "a provider's account belongs to the installation: how many reports came, and when",
	"QueueOldest":         "a figure of the installation: since when the oldest row has been due, and nothing else of it",
	"CheckClaim":          "the worker verifies for all clinics: the ledger is one",
	"BackupCounts":        "a backup is of the whole database",

	"CallsDue": "a figure of the installation: how many are to be called, and nothing else of them",

	"DeliveriesDue":          "the relay works for all clinics",
	"DraftRequestsDue":       "the relay works for all clinics",
	"DraftRequestMessage":    "the worker knows a task's id and finds its clinic by it",
	"DeliveryLock":           "the worker knows a task's id and finds its clinic by it",
	"DeliveriesLockFor":      "the worker knows its tasks' ids and finds their clinics by them",
	"DeliveriesEvidence":     "the reports on rows that are locked and whose clinics are known",
	"EventsMatch":            "the deliveries that reports turn out to be about are locked, and give them their clinics",
	"DeliveriesLock":         "a verified webhook knows ids and finds their clinics by them",
	"ClinicsOfAddress":       "a verified reply knows a number and finds its clinics by it",
	"EventsUnmatched":        "reports that no clinic owns yet",
	"EventsMatchable":        "reports that no clinic owns yet",
	"EventsOfNobody":         "reports that no clinic owns, for the operator",
	"DeliveriesExpiredLease": "the sweep works for all clinics",
	"DeliveriesLate":         "the sweep works for all clinics",
	"DeliveriesUnknown":      "the reconciler works for all clinics",
	"DeliveriesUndecided":    "the reconciler works for all clinics",

	"PatientKeysPage":   "the operator turns the keys of all clinics",
	"PatientKeysCount":  "the operator counts the keys of all clinics",
	"PatientKeysSample": "whether this keyset is this database's",

	"DeliveriesSuspect":         "the operator restores the installation",
	"DeliveriesSuspectCount":    "the operator restores the installation",
	"DeliveriesUnknownAskSince": "the operator restores the installation",
	"DeliveriesSettling":        "the operator restores the installation",
	"EventsOfDelivery":          "the operator restores the installation",
}

// queriesWithoutTeam are about patients and join no care team: reason to names.
var queriesWithoutTeam = map[string]string{
	"the operator, who turns the keys of all clinics and reads none of what they seal": `
		PatientKeysPage PatientKeysRewrap PatientKeysCount PatientKeysSample`,
	"behind the door: by the id of a row that MessageLock, MessageRead or MessageGet gave, which join the care team": `
		BriefLast BriefsOfMessage DraftGet DraftByVersion DraftsOfMessage DraftRevise DraftRechecked AcknowledgementsOfMessage
		DraftRequestLast DraftRequestsOfMessage DraftRequestsCancel ReviewCurrent ReviewClose ReviewReopen ReviewsOfMessage
		MessageBriefed MessageDrafted MessageFindings MessageMove MessageSign MessageUnsign MessageSchedule MessageWithdraw
		DeliveryRounds DeliveriesOfMessage DeliveryOfMessage DeliveryMayHaveReached DeliverySchedule DeliverySuspect DeliveryLockIn
		PageOfMessage PageLock PageRevoke PageLasts FollowUpOfMessage FollowUpLock CallRecord RemindersLock`,
	"behind the door: by the id of a patient that PatientGet gave, which joins the care team": `
		MessagesOfPatient PatientKeyGet PatientUpdate ContactsOfPatient ContactRetire`,
	"the actor's own requests, counted":                                    `DraftUsage`,
	"the actor's own signatures, counted":                                  `HomeSigned`,
	"an administrator: numbers and costs of the whole clinic, and no text": `UsageByDay UsageByPerson UsageByModel PromptsUsed HomeOfAdmin`,
	"the worker at night, which takes away what is over and counts what is missing": `
		NightlyPageSessions NightlyProofs NightlyOrphans`,
	"the worker at night: by the ids of messages that MessagesEnded gave and locked, in one clinic": `
		DeliveriesOfMessages RetireProofs RetirePageSessions RetireFollowUps RetirePages RetireAttempts RetireDeliveries RetireAnswers RetireReviews RetireRequests
		RetireDrafts RetireBriefs RetireMessages`,
	"break-glass: the person's own, by their id": `
		GlassUsed GlassOpen GlassEnd GlassEndOf`,
	"break-glass: makes an index, and tells nothing": `
		GlassUnindexed GlassIndex`,
	"an administrator, of the whole clinic: see TestQueriesByAdminReadNothingClinical": `
		GlassListByAdmin GlassLockByAdmin GlassReviewed GlassUnreviewed TeamFindByAdmin TeamGetByAdmin TeamLock AuditNamesByAdmin`,
	"an auditor, by exact record number: gives an id, and no name":                                                          `AuditPatientByAdmin`,
	"behind the door: by the id of a patient that AuditPatientKnown gave, which joins the care team for whom it asks it of": `AuditChannels`,
	"an administrator and operations: numbers about nobody":                                                                 `QueueState DeliveryCount CallsDue QueueOldest DraftState AlertSigns`,
	"the worker, which has no care team": `
		DeliveriesDue DeliveriesSave DeliveryLock DeliveriesTake DeliveriesLockFor AttemptsEnd
		DeliveriesExpiredLease DeliveriesLate DeliveriesUnknown DeliveriesUndecided
		DraftRequestClaim DraftRequestProgress DraftRequestRetry DraftRequestFinish DraftRequestCharge DraftRequestsSpent DraftRequestsDue
		DraftRequestMessage MessageLockByWorker FollowUpsDue FollowUpsMove FollowUpEnd PageUnread`,
	"a verified provider": `
		DeliveriesLock EventsMatchable ContactBounce ClinicsOfAddress`,
	"the patient, by the secret in their link": `
		PageByToken PageProofsLock PageProofsToday PageTried PageOpened PageAcknowledged PageSessionFind DeliveryToStop ContactVerify`,
	"the operator, who restores the installation": `
		DeliveriesSuspect DeliveriesSuspectCount DeliveryAskSince DeliveriesUnknownAskSince DeliveriesSettling`,
}
