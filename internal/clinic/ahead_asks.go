package clinic

import (
	"context"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// readToSign asks in one round trip for all that a signature looks at: a doctor waits for it.
func (t *tx) readToSign(ctx context.Context, m db.MessageLockRow) error {
	if m.DraftID == nil || m.Status != "in_review" {
		return nil // nothing to sign
	}
	return t.line.ahead(ctx, func(q *db.Queries) {
		t.askForDraft(ctx, q, m)
		t.askForNames(ctx, q, m)
		_, _ = q.PageOfMessage(ctx, db.PageOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
		_, _ = q.DeliveryRounds(ctx, db.DeliveryRoundsParams{MessageID: &m.ID, ClinicID: m.ClinicID, Kind: "notice"})
	})
}

// readToWrite asks in one round trip for all that saving a draft looks at: a doctor types on.
func (t *tx) readToWrite(ctx context.Context, m db.MessageLockRow) error {
	return t.line.ahead(ctx, func(q *db.Queries) {
		t.askForDraft(ctx, q, m)
		t.askForNames(ctx, q, m)
		_, _ = q.DraftsOfMessage(ctx, db.DraftsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	})
}

// readToShow asks in one round trip for all that a message's page shows.
func (t *tx) readToShow(ctx context.Context, m db.MessageGetRow) error {
	return t.line.ahead(ctx, func(q *db.Queries) { t.askForPage(ctx, q, m) })
}

// readToReview is readToShow with the actor's queue.
func (t *tx) readToReview(ctx context.Context, m db.MessageGetRow) error {
	return t.line.ahead(ctx, func(q *db.Queries) {
		t.askForPage(ctx, q, m)
		_, _ = q.ReviewQueue(ctx, db.ReviewQueueParams{ClinicID: t.clinicID(), StaffID: t.actor.ID})
	})
}

// readToTell is readToShow with the steps that a message took.
func (t *tx) readToTell(ctx context.Context, m db.MessageGetRow) error {
	return t.line.ahead(ctx, func(q *db.Queries) {
		t.askForPage(ctx, q, m)
		_, _ = q.DeliveriesOfMessage(ctx, db.DeliveriesOfMessageParams{MessageID: &m.ID, ClinicID: m.ClinicID})
		_, _ = q.PageOfMessage(ctx, db.PageOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
		_, _ = q.BriefsOfMessage(ctx, db.BriefsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
		_, _ = q.DraftRequestsOfMessage(ctx, db.DraftRequestsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
		_, _ = q.ReviewsOfMessage(ctx, db.ReviewsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
		_, _ = q.AuditOfMessage(ctx, db.AuditOfMessageParams{ClinicID: m.ClinicID, MessageID: &m.ID, Deeds: signDeeds})
		_, _ = q.FollowUpOfMessage(ctx, db.FollowUpOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	})
}

// readPatient asks in one round trip for a patient's page.
func (t *tx) readPatient(ctx context.Context, id uuid.UUID) error {
	return t.line.ahead(ctx, func(q *db.Queries) {
		t.askForPatient(ctx, q, id)
		_, _ = q.MessagesOfPatient(ctx, db.MessagesOfPatientParams{ClinicID: t.clinicID(), PatientID: id, At: t.at})
		_, _ = q.PatientKeyGet(ctx, db.PatientKeyGetParams{PatientID: id, ClinicID: t.clinicID()})
	})
}

// readBrief asks in one round trip for the form of a brief.
func (t *tx) readBrief(ctx context.Context, message, patient uuid.UUID) error {
	return t.line.ahead(ctx, func(q *db.Queries) {
		t.askForPatient(ctx, q, patient)
		_, _ = q.ClinicGet(ctx, t.clinicID())
		_, _ = q.BriefLast(ctx, db.BriefLastParams{MessageID: message, ClinicID: t.clinicID()})
	})
}

// readWorklist asks in one round trip for the first page of what waits for somebody, and what stands around it.
func (t *tx) readWorklist(ctx context.Context, reviews, own bool) error {
	return t.line.ahead(ctx, func(q *db.Queries) {
		_, _ = q.ClinicGet(ctx, t.clinicID())
		_, _ = q.CallCounts(ctx, t.callCountsParams())
		_, _ = q.HomeOfWriter(ctx, db.HomeOfWriterParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, At: t.at})
		if reviews {
			_, _ = q.HomeSigned(ctx, t.homeSignedParams())
			_, _ = q.Worklist(ctx, t.worklistParams([]string{"in_review"}, false, fromTheFirst))
		}
		_, _ = q.Worklist(ctx, t.worklistParams(ownWork, true, fromTheFirst))
		_, _ = q.WorklistTroubled(ctx, db.WorklistTroubledParams{ClinicID: t.clinicID(), StaffID: t.actor.ID})
		if calls(t.actor.Role) {
			_, _ = q.CallList(ctx, t.callListParams(fromTheFirst, worklistPage))
		}
		_, _ = q.WorklistCount(ctx, t.worklistCountParams(reviews, own))
	})
}

// askForPage asks for what a message's page shows.
func (t *tx) askForPage(ctx context.Context, q *db.Queries, m db.MessageGetRow) {
	t.askForPatient(ctx, q, m.PatientID)
	_, _ = q.DraftsOfMessage(ctx, db.DraftsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	_, _ = q.DraftRequestLast(ctx, db.DraftRequestLastParams{MessageID: m.ID, ClinicID: m.ClinicID})
	t.askForDraft(ctx, q, lockedRow(m))
	if m.Status == "in_review" { // the checks run again
		t.askForNames(ctx, q, lockedRow(m))
	}
}

func (t *tx) askForPatient(ctx context.Context, q *db.Queries, id uuid.UUID) {
	_, _ = q.PatientGet(ctx, db.PatientGetParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID, Reading: throughGlass[t.deed], At: t.at})
	_, _ = q.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: t.clinicID(), PatientID: id})
	_, _ = q.TeamOfPatient(ctx, db.TeamOfPatientParams{ClinicID: t.clinicID(), PatientID: id})
}

// askForDraft asks for a draft with what it was written from, where it would go and where its review stands.
func (t *tx) askForDraft(ctx context.Context, q *db.Queries, m db.MessageLockRow) {
	_, _ = q.BriefLast(ctx, db.BriefLastParams{MessageID: m.ID, ClinicID: m.ClinicID})
	_, _ = q.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: m.ID, ClinicID: m.ClinicID})
	_, _ = q.AcknowledgementsOfMessage(ctx, db.AcknowledgementsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	_, _ = q.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: m.ClinicID, PatientID: m.PatientID})
	t.askForSettings(ctx, q, m.DoctorID)
	if t.actor.Role == Doctor {
		t.askForSettings(ctx, q, t.actor.ID)
	}
	if m.DraftID != nil {
		_, _ = q.DraftGet(ctx, db.DraftGetParams{ID: *m.DraftID, ClinicID: m.ClinicID})
	}
}

// askForNames asks for what else the checks look at: the clinic's numbers, and the names of the doctor's patients.
func (t *tx) askForNames(ctx context.Context, q *db.Queries, m db.MessageLockRow) {
	_, _ = q.ClinicGet(ctx, m.ClinicID)
	_, _ = q.PatientIdentities(ctx, db.PatientIdentitiesParams{ClinicID: m.ClinicID, StaffID: m.DoctorID, PatientID: m.PatientID})
	_, _ = q.ContactsOfIdentities(ctx, db.ContactsOfIdentitiesParams{ClinicID: m.ClinicID, StaffID: m.DoctorID, PatientID: m.PatientID})
}

// askForSettings asks for a doctor's settings, and for the name that stands in them before there are any.
func (t *tx) askForSettings(ctx context.Context, q *db.Queries, doctor uuid.UUID) {
	_, _ = q.SettingsLast(ctx, db.SettingsLastParams{StaffID: doctor, ClinicID: t.clinicID()})
	_, _ = q.StaffGet(ctx, db.StaffGetParams{ID: doctor, ClinicID: t.clinicID()})
}
