package web

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// Addresses that the layers know by name.
const (
	pathStart        = "/sign-in/start"
	pathArrival      = "/signed-in"
	pathEvents       = "/events"
	pathStatic       = "/static/*"
	pathHealth       = "/healthz"
	pathReady        = "/readyz"
	pathMetrics      = "/metrics"
	pathBoard        = "/ops/queues"
	pathPreview      = "/settings/preview"
	pathDeliveryRows = "/deliveries/rows"
	pathReport       = "/csp-report"
	pathVitals       = "/vitals"
	pathFigures      = "/status/figures"
	pathPage         = "/m/:token"
	pathAuditExport  = "/audit/export"
	pathAuditProof   = "/audit/:id/proof"
)

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// routes is every address there is. The deed is what the handler asks clinic for, so that a reader finds the permission;
// the asking is clinic's. A GET has no effect beyond sessions and the audit trail.
func (s *Server) routes() []route {
	return slices.Concat(s.routesOfPeople(), s.routesOfKeepers(), s.routesOfAuditors(), s.routesOfMessages(), s.routesOfPatients(), s.routesOfMachines())
}

// routesOfPeople: who one is, what waits, whom it is about.
func (s *Server) routesOfPeople() []route {
	return []route{
		{get, "/sign-in", doorOpen, "", s.sessionNew},
		{get, pathStart, doorOpen, "", s.sessionStart},
		{get, pathArrival, doorOpen, clinic.SessionOpen, s.sessionOpen},
		{post, "/sign-out", doorPerson, clinic.SessionEnd, s.sessionEnd},
		{get, "/signed-out", doorOpen, "", s.sessionEnded},

		{get, "/sessions", doorStaff, clinic.SessionList, s.sessionList},
		{post, "/sessions/end-others", doorStaff, clinic.SessionEndOthers, s.sessionEndOthers},
		{post, "/sessions/:id/end-other", doorStaff, clinic.SessionEndOther, s.sessionEndOther},
		{get, "/sessions/all", doorStaff, clinic.SessionListAll, s.sessionListAll},
		{post, "/sessions/:id/end-any", doorStaff, clinic.SessionEndAny, s.sessionEndAny},

		{get, "/", doorStaff, clinic.WorklistShow, s.worklistShow},
		{get, "/worklist", doorStaff, clinic.WorklistShow, s.worklistShow},
		{get, "/reviews", doorStaff, clinic.ReviewList, s.reviewList},

		{get, "/patients", doorStaff, clinic.PatientList, s.patientList},
		{post, "/patients/search", doorStaff, clinic.PatientSearch, s.patientSearch},
		{get, "/patients/new", doorStaff, clinic.PatientCreate, s.patientNew},
		{post, "/patients/new", doorStaff, clinic.PatientCreate, s.patientCreate},
		{get, "/patients/:id", doorStaff, clinic.PatientShow, s.patientShow},
		{get, "/patients/:id/edit", doorStaff, clinic.PatientChange, s.patientChange},
		{post, "/patients/:id/edit", doorStaff, clinic.PatientEdit, s.patientEdit},

		{get, "/briefs/new", doorStaff, clinic.BriefNew, s.briefNew},
		{post, "/briefs", doorStaff, clinic.BriefCreate, s.briefCreate},
		{post, "/briefs/flags", doorStaff, clinic.BriefNew, s.briefFlags},
		{get, "/briefs/:id/edit", doorStaff, clinic.BriefShow, s.briefChange},
		{post, "/briefs/:id/edit", doorStaff, clinic.BriefEdit, s.briefEdit},

		{get, "/settings", doorStaff, clinic.SettingsShow, s.settingsShow},
		{get, "/settings/:id", doorStaff, clinic.SettingsShow, s.settingsOf},
		{post, "/settings", doorStaff, clinic.SettingsEdit, s.settingsEdit},
		{post, pathPreview, doorStaff, clinic.SettingsShow, s.settingsPreview},

		{get, "/glass", doorStaff, clinic.GlassBreak, s.glassNew},
		{post, "/glass/break", doorStaff, clinic.GlassBreak, s.glassBreak},
		{post, "/glass/:id/end", doorStaff, clinic.GlassEnd, s.glassEnd},

		{get, pathEvents, doorStaff, clinic.MessageShow, s.eventsStream},
	}
}

// routesOfKeepers: who may do what, whom they care for, and how the house does.
func (s *Server) routesOfKeepers() []route {
	return []route{
		{get, "/staff", doorStaff, clinic.StaffList, s.staffList},
		{post, "/staff/:id/assign", doorStaff, clinic.StaffAssign, s.staffAssign},
		{post, "/staff/:id/disable", doorStaff, clinic.StaffDisable, s.staffDisable},
		{post, "/staff/:id/enable", doorStaff, clinic.StaffEnable, s.staffEnable},

		{get, "/teams", doorStaff, clinic.TeamList, s.teamList},
		{post, "/teams/search", doorStaff, clinic.TeamSearch, s.teamSearch},
		{get, "/teams/:id", doorStaff, clinic.TeamShow, s.teamShow},
		{post, "/teams/:id/join", doorStaff, clinic.TeamJoin, s.teamJoin},
		{post, "/teams/:id/leave", doorStaff, clinic.TeamLeave, s.teamLeave},

		{get, "/glass/list", doorStaff, clinic.GlassList, s.glassList},
		{post, "/glass/:id/review", doorStaff, clinic.GlassReview, s.glassReview},

		{get, "/usage", doorStaff, clinic.UsageShow, s.usageShow},
		{get, "/prompts", doorStaff, clinic.PromptList, s.promptList},
		{get, "/clinic", doorStaff, clinic.ClinicShow, s.clinicShow},
		{post, "/clinic", doorStaff, clinic.ClinicEdit, s.clinicEdit},
		{get, "/jobs", doorStaff, clinic.JobList, s.jobList},
		{post, "/jobs/:job/run", doorStaff, clinic.JobRun, s.jobRun},

		{get, "/networks", doorStaff, clinic.NetworkList, s.networkList},
		{post, "/networks/block", doorStaff, clinic.NetworkBlock, s.networkBlock},
		{post, "/networks/allow", doorStaff, clinic.NetworkAllow, s.networkAllow},
		{post, "/networks/:id/unblock", doorStaff, clinic.NetworkUnblock, s.networkUnblock},
		{get, "/reports", doorStaff, clinic.ReportList, s.reportList},

		{get, "/security", doorStaff, clinic.SecurityShow, s.securityShow},
		{post, "/security/edit", doorStaff, clinic.SecurityEdit, s.securityEdit},
		{get, "/status", doorStaff, clinic.StatusShow, s.statusShow},
		{get, pathFigures, doorStaff, clinic.StatusShow, s.figuresShow},
		{get, "/alerts", doorStaff, clinic.AlertList, s.alertList},
		{post, "/alerts/:id/acknowledge", doorStaff, clinic.AlertAcknowledge, s.alertAcknowledge},
		{post, "/alerts/:id/silence", doorStaff, clinic.AlertSilence, s.alertSilence},
		{post, "/breakers/:channel/open", doorStaff, clinic.BreakerOpen, s.breakerOpen},
		{post, "/breakers/:channel/close", doorStaff, clinic.BreakerClose, s.breakerClose},
	}
}

// routesOfAuditors: what was done, by whom, and whether that can still be believed.
func (s *Server) routesOfAuditors() []route {
	return []route{
		{get, "/audit", doorStaff, clinic.AuditSearch, s.auditList},
		{post, "/audit/search", doorStaff, clinic.AuditSearch, s.auditSearch},
		{post, pathAuditExport, doorStaff, clinic.AuditExport, s.auditExport},
		{get, "/audit/verify", doorStaff, clinic.AuditChecks, s.auditChecks},
		{post, "/audit/verify", doorStaff, clinic.AuditVerify, s.auditVerify},
		{get, "/audit/:id", doorStaff, clinic.AuditShow, s.auditShow},
		{get, pathAuditProof, doorStaff, clinic.AuditProve, s.auditProve},
		{get, "/patients/:id/audit", doorStaff, clinic.AuditOfPatient, s.auditOfPatient},
		{get, "/patients/:id/disclosures", doorStaff, clinic.AuditDisclosures, s.auditDisclosures},

		{get, "/access", doorStaff, clinic.AccessList, s.accessList},
		{get, "/access/:id", doorStaff, clinic.AccessShow, s.accessShow},
		{post, "/access/:id/sign", doorStaff, clinic.AccessSign, s.accessSign},
	}
}

// routesOfMessages: the life of a message. Drafts, reviews and messages are views of the message's id; a delivery has its own.
func (s *Server) routesOfMessages() []route {
	return []route{
		{get, "/drafts/:id", doorStaff, clinic.DraftShow, s.draftShow},
		{get, "/drafts/:id/card", doorStaff, clinic.DraftShow, s.draftCard},
		{get, "/drafts/:id/progress", doorStaff, clinic.DraftShow, s.draftProgress},
		{get, "/drafts/:id/diff", doorStaff, clinic.DraftDiff, s.draftDiff},
		{post, "/drafts/:id/request", doorStaff, clinic.DraftRequest, s.draftRequest},
		{post, "/drafts/:id/by-hand", doorStaff, clinic.DraftByHand, s.draftByHand},
		{post, "/drafts/:id/check", doorStaff, clinic.DraftCheck, s.draftCheck},
		{post, "/drafts/:id/edit", doorStaff, clinic.DraftEdit, s.draftEdit},
		{post, "/drafts/:id/findings", doorStaff, clinic.FindingAnswer, s.draftFinding},
		{post, "/drafts/:id/submit", doorStaff, clinic.ReviewSubmit, s.reviewSubmit},

		{get, "/reviews/:id", doorStaff, clinic.ReviewShow, s.reviewShow},
		{get, "/reviews/:id/panel", doorStaff, clinic.ReviewShow, s.reviewShow},
		{post, "/reviews/:id/approve", doorStaff, clinic.ReviewApprove, s.reviewApprove},
		{post, "/reviews/:id/return", doorStaff, clinic.ReviewReturn, s.reviewReturn},
		{post, "/reviews/:id/recall", doorStaff, clinic.ReviewRecall, s.reviewRecall},
		{post, "/reviews/:id/findings", doorStaff, clinic.FindingAnswer, s.reviewFinding},

		{get, "/messages/:id", doorStaff, clinic.MessageShow, s.messageShow},
		{get, "/messages/:id/timeline", doorStaff, clinic.MessageShow, s.messageShow},
		{post, "/messages/:id/undo", doorStaff, clinic.MessageUndo, s.messageUndo},
		{post, "/messages/:id/withdraw", doorStaff, clinic.MessageWithdraw, s.messageWithdraw},
		{post, "/messages/:id/schedule", doorStaff, clinic.MessageSchedule, s.messageSchedule},

		{get, "/deliveries", doorStaff, clinic.DeliveryList, s.deliveryList},
		{get, pathDeliveryRows, doorStaff, clinic.DeliveryList, s.deliveryList},
		{post, "/deliveries/preview", doorStaff, clinic.DeliveryPreview, s.deliveryPreview},
		{post, "/deliveries/retry", doorStaff, clinic.DeliveryRetry, s.deliveryRetry},
		{post, "/deliveries/:id/resend", doorStaff, clinic.DeliveryResend, s.deliveryResend},
		{post, "/deliveries/:id/mark-sent", doorStaff, clinic.DeliveryMarkSent, s.deliveryMarkSent},
		{get, "/calls", doorStaff, clinic.CallList, s.callList},
		{get, "/calls/unread", doorStaff, clinic.CallList, s.callListUnread},
		{post, "/calls/:id/record", doorStaff, clinic.CallRecord, s.callRecord},
	}
}

// routesOfPatients: behind the link in a notice.
func (s *Server) routesOfPatients() []route {
	return []route{
		{get, pathPage, doorPatient, "", s.pageAsk},
		{post, pathPage, doorPatient, clinic.PageProve, s.pageProve},
		{get, "/m/:token/read", doorPatient, clinic.PageRead, s.pageRead},
		{post, "/m/:token/acknowledge", doorPatient, clinic.PageAcknowledge, s.pageAcknowledge},
		{get, "/m/:token/stop", doorPatient, "", s.pageStopAsk},
		{post, "/m/:token/stop", doorMachine, clinic.PageStop, s.pageStop}, // one click in a mail program, RFC 8058
	}
}

// routesOfMachines: providers, probes, browsers' reports, files, and the queue board, which is a program of its own.
func (s *Server) routesOfMachines() []route {
	return []route{
		{post, "/webhooks/sendgrid", doorMachine, clinic.DeliveryReceive, s.webhookSendGrid},
		{post, "/webhooks/twilio/:delivery", doorMachine, clinic.DeliveryReceive, s.webhookTwilio},
		{post, "/webhooks/twilio", doorMachine, clinic.ConsentReply, s.webhookReply},

		{get, pathHealth, doorOpen, "", s.healthShow},
		{get, pathReady, doorOpen, "", s.readyShow},
		{get, pathMetrics, doorOpen, "", s.metricsShow},
		{post, pathReport, doorMachine, clinic.ReportKeep, s.cspReport},
		{post, pathVitals, doorOpen, "", s.vitalsTake},
		{get, "/styleguide", doorOpen, "", s.styleguideShow},
		{get, pathStatic, doorOpen, "", s.staticShow},

		{get, pathBoard, doorStaff, clinic.QueueView, s.boardShow},
		{get, pathBoard + "/*", doorStaff, clinic.QueueView, s.boardShow},
		{post, pathBoard + "/*", doorStaff, clinic.QueueOperate, s.boardShow},
		{http.MethodDelete, pathBoard + "/*", doorStaff, clinic.QueueOperate, s.boardShow},
	}
}

// lay puts the table into the router. Whoever may GET may ask by HEAD, streams aside.
func (s *Server) lay(e *echo.Echo) {
	for _, r := range s.table {
		e.Add(r.method, r.path, s.enter(&r))
		if r.method == get && r.path != pathEvents {
			e.Add(http.MethodHead, r.path, s.enter(&r))
		}
	}
}
