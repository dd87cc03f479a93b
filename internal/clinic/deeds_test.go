package clinic_test

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// things are what the deeds of the table below are done to: one patient, one message of the World, and one notice.
type things struct {
	patient, message, doctor, delivery uuid.UUID
	version                            int
}

// act is one public method as a person calls it. scoped acts are done to one patient's records.
type act struct {
	method string
	deed   clinic.Deed
	scoped bool
	do     func(c *clinic.Clinic, a clinic.Actor, x things) error
}

// acts is every public method that a person may call.
func acts(w *clinictest.World) []act {
	return slices.Concat(sessionActs(), patientActs(), messageActs(w), decidingActs(), glassActs(), answeringActs())
}

func sessionActs() []act {
	return []act{
		{"SessionList", clinic.SessionList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.SessionList(ctx, a); return err }},
		{"SessionEndOther", clinic.SessionEndOther, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.SessionEndOther(ctx, a, x.message)
		}},
		{"SessionEndOthers", clinic.SessionEndOthers, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.SessionEndOthers(ctx, a)
			return err
		}},
		{"SessionListAll", clinic.SessionListAll, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.SessionListAll(ctx, a, uuid.Nil, "")
			return err
		}},
		{"SessionEndAny", clinic.SessionEndAny, false, func(c *clinic.Clinic, a clinic.Actor, x things) error { return c.SessionEndAny(ctx, a, x.message) }},
	}
}

func patientActs() []act {
	return []act{
		{"SettingsShow", clinic.SettingsShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.SettingsShow(ctx, a, a.ID)
			return err
		}},
		{"SettingsEdit", clinic.SettingsEdit, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.SettingsEdit(ctx, a, clinic.Settings{})
		}},
		{"WorklistShow", clinic.WorklistShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.WorklistShow(ctx, a, "")
			return err
		}},
		{"ReviewList", clinic.ReviewList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.ReviewList(ctx, a, ""); return err }},
		{"PatientList", clinic.PatientList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.PatientList(ctx, a, "")
			return err
		}},
		{"PatientSearch", clinic.PatientSearch, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.PatientSearch(ctx, a, "delgado", true)
			return err
		}},
		{"PatientDoctors", clinic.PatientCreate, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.PatientDoctors(ctx, a); return err }},
		{"PatientCreate", clinic.PatientCreate, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.PatientCreate(ctx, a, clinic.PatientForm{Name: "Ada Brook", BirthDate: "1980-02-03", MRN: uuid.NewString(), Language: "en", DoctorID: x.doctor})
			return err
		}},
		{"PatientShow", clinic.PatientShow, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.PatientShow(ctx, a, x.patient)
			return err
		}},
		{"PatientChange", clinic.PatientChange, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.PatientChange(ctx, a, x.patient)
			return err
		}},
		{"PatientEdit", clinic.PatientEdit, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.PatientEdit(ctx, a, x.patient, clinic.PatientForm{Name: "Taken Over", BirthDate: "1967-05-30", MRN: "1", Language: "en", Version: 1})
		}},
	}
}

// messageActs are those that are done to a message, from its brief on.
func messageActs(w *clinictest.World) []act {
	return []act{
		{"BriefNew", clinic.BriefNew, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.BriefNew(ctx, a, x.patient)
			return err
		}},
		{"BriefCreate", clinic.BriefCreate, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.BriefCreate(ctx, a, w.Brief(x.patient, "email"))
			return err
		}},
		{"BriefShow", clinic.BriefShow, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.BriefShow(ctx, a, x.message)
			return err
		}},
		{"BriefEdit", clinic.BriefEdit, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			f := w.Brief(x.patient, "email")
			f.Version = x.version
			return c.BriefEdit(ctx, a, x.message, f)
		}},
		{"DraftShow", clinic.DraftShow, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DraftShow(ctx, a, x.message)
			return err
		}},
		{"DraftRequest", clinic.DraftRequest, true, func(c *clinic.Clinic, a clinic.Actor, x things) error { return c.DraftRequest(ctx, a, x.message, "") }},
		{"DraftByHand", clinic.DraftByHand, true, func(c *clinic.Clinic, a clinic.Actor, x things) error { return c.DraftByHand(ctx, a, x.message) }},
		{"DraftEdit", clinic.DraftEdit, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DraftEdit(ctx, a, x.message, x.version, "Dear Rosa Delgado,")
			return err
		}},
		{"DraftCheck", clinic.DraftCheck, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DraftCheck(ctx, a, x.message, "Dear Rosa Delgado,")
			return err
		}},
		{"DraftDiff", clinic.DraftDiff, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DraftDiff(ctx, a, x.message, 1, 1)
			return err
		}},
		{"FindingAnswer", clinic.FindingAnswer, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.FindingAnswer(ctx, a, x.message, "key")
		}},
	}
}

// decidingActs are those of the review and of what follows it.
func decidingActs() []act {
	return []act{
		{"ReviewShow", clinic.ReviewShow, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.ReviewShow(ctx, a, x.message)
			return err
		}},
		{"ReviewSubmit", clinic.ReviewSubmit, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.ReviewSubmit(ctx, a, x.message, x.version)
		}},
		{"ReviewRecall", clinic.ReviewRecall, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.ReviewRecall(ctx, a, x.message, x.version)
		}},
		{"ReviewReturn", clinic.ReviewReturn, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.ReviewReturn(ctx, a, x.message, x.version, "No.")
		}},
		{"ReviewApprove", clinic.ReviewApprove, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.ReviewApprove(ctx, a, x.message, x.version, nil)
		}},
		{"MessageShow", clinic.MessageShow, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.MessageShow(ctx, a, x.message)
			return err
		}},
		{"MessageUndo", clinic.MessageUndo, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.MessageUndo(ctx, a, x.message, x.version)
		}},
		{"MessageWithdraw", clinic.MessageWithdraw, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.MessageWithdraw(ctx, a, x.message, x.version)
		}},
		{"DeliveryResend", clinic.DeliveryResend, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DeliveryResend(ctx, a, x.delivery, 1)
			return err
		}},
		{"MessageSchedule", clinic.MessageSchedule, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.MessageSchedule(ctx, a, x.message, clinic.ScheduleForm{Version: x.version})
		}},
		{"DeliveryList", clinic.DeliveryList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.DeliveryList(ctx, a, clinic.DeliveryFilter{})
			return err
		}},
		{"DeliveryPreview", clinic.DeliveryPreview, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DeliveryPreview(ctx, a, []uuid.UUID{x.delivery}, clinic.DeliveryFilter{})
			return err
		}},
		{"DeliveryRetry", clinic.DeliveryRetry, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DeliveryRetry(ctx, a, x.delivery, 1)
			return err
		}},
		{"CallList", clinic.CallList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.CallList(ctx, a, false, "")
			return err
		}},
		{"CallRecord", clinic.CallRecord, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.CallRecord(ctx, a, x.message, 0, "reached")
		}},
		{"DeliveryMarkSent", clinic.DeliveryMarkSent, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DeliveryMarkSent(ctx, a, x.delivery, 1)
			return err
		}},
	}
}

// machineActs are the methods that only a machine's actor or the operator may call.
func machineActs(w *clinictest.World) []act {
	return slices.Concat(restoreActs(), officeActs(w), keeperActs(w), auditActs(), steeringActs(), nightActs(), []act{
		{"DeliveryClaim", clinic.DeliveryClaim, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DeliveryClaim(ctx, a, x.message)
			return err
		}},
		{"DeliveryRecord", clinic.DeliveryRecord, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.DeliveryRecord(ctx, a, &clinic.Parcel{DeliveryID: x.message}, "x", clinic.Outcome{})
		}},
		{"ReminderMake", clinic.ReminderMake, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.ReminderMake(ctx, a, 10)
			return err
		}},
		{"DeliverySweep", clinic.DeliverySweep, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.DeliverySweep(ctx, a); return err }},
		{"DeliveryReconcile", clinic.DeliveryReconcile, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.DeliveryReconcile(ctx, a, 1)
			return err
		}},
		{"DeliverySettle", clinic.DeliverySettle, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.DeliverySettle(ctx, a, clinic.Unknown{DeliveryID: x.message}, clinic.Found{})
		}},
		{"DeliveryReceive", clinic.DeliveryReceive, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.DeliveryReceive(ctx, a, nil) }},
		{"DraftClaim", clinic.DraftClaim, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.DraftClaim(ctx, a, x.message)
			return err
		}},
		{"DraftFinish", clinic.DraftFinish, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.DraftFinish(ctx, a, &clinic.Assignment{RequestID: x.message}, clinic.Answer{})
		}},
		{"ConsentReply", clinic.ConsentReply, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.ConsentReply(ctx, a, text("+14155550441", "STOP"))
		}},
	})
}

// officeActs are what administrators and operators do.
func officeActs(w *clinictest.World) []act {
	return []act{
		{"KeysShow", clinic.KeysShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.KeysShow(ctx, a); return err }},
		{"BackupCreate", clinic.BackupCreate, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.BackupCreate(ctx, a, clinic.Backup{}, func(context.Context) error { return nil })
		}},
		{"BackupRestore", clinic.BackupRestore, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.BackupRestore(ctx, a, clinic.Backup{})
		}},
		{"KeysRotate", clinic.KeysRotate, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.KeysRotate(ctx, a, clinic.KeysTurned{}, false)
			return err
		}},
		{"AuditArchive", clinic.AuditArchive, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.AuditArchive(ctx, a, time.Now(), 0, nil)
			return err
		}},
		{"ClinicCreate", clinic.ClinicCreate, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.ClinicCreate(ctx, a, clinic.ClinicForm{ID: a.ClinicID, Zone: "UTC"})
		}},
		{"StaffPut", clinic.StaffPut, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.StaffPut(ctx, a, clinic.StaffForm{ClinicID: a.ClinicID, Role: clinic.Admin, Name: "Me", Issuer: "i", Subject: "s"})
			return err
		}},
		{"AlertList", clinic.AlertList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.AlertList(ctx, a, ""); return err }},
		{"AlertAcknowledge", clinic.AlertAcknowledge, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.AlertAcknowledge(ctx, a, x.message, 1, "")
		}},
		{"AlertSilence", clinic.AlertSilence, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.AlertSilence(ctx, a, x.message, 1, time.Hour)
		}},
		{"AlertEvaluate", clinic.AlertEvaluate, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.AlertEvaluate(ctx, a, clinic.AlertRound{Every: time.Minute})
			return err
		}},
		{"NetworkList", clinic.NetworkList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.NetworkList(ctx, a); return err }},
		{"NetworkBlock", clinic.NetworkBlock, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.NetworkBlock(ctx, a, clinic.NetworkForm{})
		}},
		{"NetworkAllow", clinic.NetworkAllow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.NetworkAllow(ctx, a, clinic.NetworkForm{})
		}},
		{"NetworkUnblock", clinic.NetworkUnblock, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.NetworkUnblock(ctx, a, uuid.Must(uuid.NewV7()), "", false)
		}},
		{"ReportList", clinic.ReportList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.ReportList(ctx, a); return err }},
		{"SecurityShow", clinic.SecurityShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.SecurityShow(ctx, a); return err }},
		{"SecurityEdit", clinic.SecurityEdit, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.SecurityEdit(ctx, a, 4*time.Hour)
		}},
		{"StatusShow", clinic.StatusShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.StatusShow(ctx, a); return err }},
		{"BreakerOpen", clinic.BreakerOpen, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.BreakerOpen(ctx, a, "sms", 0) }},
		{"BreakerClose", clinic.BreakerClose, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.BreakerClose(ctx, a, "sms", 0) }},
		{"QueueView", clinic.QueueView, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.QueueView(ctx, a) }},
		{"QueueOperate", clinic.QueueOperate, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.QueueOperate(ctx, a, "POST /api/queues/deliver:pause")
		}},
	}
}

// restoreActs are those of a restored database.
func restoreActs() []act {
	return []act{
		{"InstanceHold", clinic.InstanceHold, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.InstanceHold(ctx, a, clinic.Instance{}, clinic.HeldByHand, 0)
		}},
		{"InstanceShow", clinic.InstanceShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.InstanceShow(ctx, a, time.Now())
			return err
		}},
		{"DeliveryRestore", clinic.DeliveryRestore, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.DeliveryRestore(ctx, a, time.Now(), 1)
			return err
		}},
		{"DeliveryAsk", clinic.DeliveryAsk, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.DeliveryAsk(ctx, a, time.Now())
			return err
		}},
		{"InstanceRelease", clinic.InstanceRelease, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.InstanceRelease(ctx, a, time.Now(), nil)
			return err
		}},
	}
}
