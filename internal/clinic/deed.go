package clinic

import (
	"time"

	"github.com/google/uuid"
)

// Deed names an act. The same name is the permission, the audit action, the task type, the method and the route.
type Deed string

// Role is what a person may do, or which machine acts.
type Role string

// The roles of people, and those of machines and outsiders.
const (
	Staff    Role = "staff"
	Reviewer Role = "reviewer"
	Doctor   Role = "doctor"
	Auditor  Role = "auditor"
	Admin    Role = "admin"
	Ops      Role = "ops"

	RoleWorker   Role = "worker"
	RoleProvider Role = "provider"
	RolePatient  Role = "patient"
	RoleOperator Role = "operator"
	RoleNobody   Role = ""
)

// Roles are those that a person may be given.
var Roles = []Role{Staff, Reviewer, Doctor, Auditor, Admin, Ops}

// Scope says on whose records a role may do a deed. The queries enforce it; the table only names it.
type Scope int

// Team: patients of whose care team the person is a member. TeamNotOwn: the same, but not what they handed in themselves.
// Own: what the person made or is. Everything: the clinic.
const (
	None Scope = iota
	Own
	TeamNotOwn
	Team
	Everything
)

// String is the scope as the tables for people say it.
func (s Scope) String() string {
	return [...]string{"–", "own", "team, not own", "team", "clinic"}[s]
}

// Deeds. A deed without a method, or a method without its deed, fails the house test.
const (
	SessionOpen Deed = "session.open"
	SessionEnd  Deed = "session.end"

	SessionList      Deed = "session.list"
	SessionEndOther  Deed = "session.end-other"
	SessionEndOthers Deed = "session.end-others"
	SessionListAll   Deed = "session.list-all"
	SessionEndAny    Deed = "session.end-any"

	WorklistShow Deed = "worklist.show"

	PatientList   Deed = "patient.list"
	PatientSearch Deed = "patient.search"
	PatientShow   Deed = "patient.show"
	PatientCreate Deed = "patient.create"
	PatientChange Deed = "patient.change"
	PatientEdit   Deed = "patient.edit"

	BriefNew    Deed = "brief.new"
	BriefShow   Deed = "brief.show"
	BriefCreate Deed = "brief.create"
	BriefEdit   Deed = "brief.edit"

	DraftShow     Deed = "draft.show"
	DraftRequest  Deed = "draft.request"
	DraftByHand   Deed = "draft.by-hand"
	DraftEdit     Deed = "draft.edit"
	DraftCheck    Deed = "draft.check"
	DraftDiff     Deed = "draft.diff"
	DraftClaim    Deed = "draft.claim"
	DraftFinish   Deed = "draft.finish"
	FindingAnswer Deed = "finding.answer"

	ReviewList    Deed = "review.list"
	ReviewShow    Deed = "review.show"
	ReviewSubmit  Deed = "review.submit"
	ReviewRecall  Deed = "review.recall"
	ReviewApprove Deed = "review.approve"
	ReviewReturn  Deed = "review.return"

	ReviewApproveClinical Deed = "review.approve-clinical"

	MessageShow     Deed = "message.show"
	MessageUndo     Deed = "message.undo"
	MessageWithdraw Deed = "message.withdraw"
	MessageSchedule Deed = "message.schedule"
	MessageRetire   Deed = "message.retire"

	DeliveryClaim   Deed = "delivery.claim"
	DeliveryRecord  Deed = "delivery.record"
	DeliverySweep   Deed = "delivery.sweep"
	DeliveryReceive Deed = "delivery.receive"

	DeliveryReconcile Deed = "delivery.reconcile"
	DeliverySettle    Deed = "delivery.settle"
	DeliveryResend    Deed = "delivery.resend"
	DeliveryMarkSent  Deed = "delivery.mark-sent"
	DeliveryList      Deed = "delivery.list"
	DeliveryPreview   Deed = "delivery.preview"
	DeliveryRetry     Deed = "delivery.retry"

	ReminderMake Deed = "reminder.make"
	CallList     Deed = "call.list"
	CallRecord   Deed = "call.record"

	SecurityShow Deed = "security.show"
	SecurityEdit Deed = "security.edit"

	StatusShow   Deed = "status.show"
	BreakerOpen  Deed = "breaker.open"
	BreakerClose Deed = "breaker.close"

	AlertList        Deed = "alert.list"
	AlertAcknowledge Deed = "alert.acknowledge"
	AlertSilence     Deed = "alert.silence"
	AlertEvaluate    Deed = "alert.evaluate"

	InstanceHold    Deed = "instance.hold"
	InstanceShow    Deed = "instance.show"
	DeliveryRestore Deed = "delivery.restore"
	DeliveryAsk     Deed = "delivery.ask"
	InstanceRelease Deed = "instance.release"

	SettingsShow Deed = "settings.show"
	SettingsEdit Deed = "settings.edit"

	PageProve       Deed = "page.prove"
	PageRead        Deed = "page.read"
	PageAcknowledge Deed = "page.acknowledge"
	PageStop        Deed = "page.stop"
	ConsentReply    Deed = "consent.reply"

	QueueView    Deed = "queue.view"
	QueueOperate Deed = "queue.operate"

	BackupCreate  Deed = "backup.create"
	BackupRestore Deed = "backup.restore"

	KeysShow   Deed = "keys.show"
	KeysRotate Deed = "keys.rotate"

	AuditArchive Deed = "audit.archive"

	NetworkList    Deed = "network.list"
	NetworkBlock   Deed = "network.block"
	NetworkAllow   Deed = "network.allow"
	NetworkUnblock Deed = "network.unblock"

	ReportKeep Deed = "report.keep"
	ReportList Deed = "report.list"

	ClinicCreate Deed = "clinic.create"
	ClinicShow   Deed = "clinic.show"
	ClinicEdit   Deed = "clinic.edit"
	UsageShow    Deed = "usage.show"
	PromptList   Deed = "prompt.list"
	JobList      Deed = "job.list"
	JobRun       Deed = "job.run"
	JobNightly   Deed = "job.nightly"

	StaffPut     Deed = "staff.put"
	StaffList    Deed = "staff.list"
	StaffDisable Deed = "staff.disable"
	StaffEnable  Deed = "staff.enable"
	StaffAssign  Deed = "staff.assign"

	TeamList   Deed = "team.list"
	TeamSearch Deed = "team.search"
	TeamShow   Deed = "team.show"
	TeamJoin   Deed = "team.join"
	TeamLeave  Deed = "team.leave"

	GlassBreak  Deed = "glass.break"
	GlassEnd    Deed = "glass.end"
	GlassList   Deed = "glass.list"
	GlassReview Deed = "glass.review"

	AuditSearch      Deed = "audit.search"
	AuditShow        Deed = "audit.show"
	AuditProve       Deed = "audit.prove"
	AuditExport      Deed = "audit.export"
	AuditVerify      Deed = "audit.verify"
	AuditChecks      Deed = "audit.checks"
	AuditRun         Deed = "audit.run"
	AuditOfPatient   Deed = "audit.of-patient"
	AuditDisclosures Deed = "audit.disclosures"

	AccessMake Deed = "access.make"
	AccessList Deed = "access.list"
	AccessShow Deed = "access.show"
	AccessSign Deed = "access.sign"
)

// Task types of the queue: also deeds, carried out by the worker through claim and record.
const (
	DeliverySend Deed = "delivery.send"
	DraftWrite   Deed = "draft.write"
)

type rule map[Role]Scope

var (
	writers  = rule{Staff: Team, Reviewer: Team, Doctor: Team}
	everyone = rule{Staff: Own, Reviewer: Own, Doctor: Own, Auditor: Own, Admin: Own, Ops: Own}
	authors  = rule{Staff: Own, Reviewer: Own, Doctor: Own}
	admins   = rule{Admin: Everything}
	watchers = rule{Admin: Everything, Ops: Everything}
	worker   = rule{RoleWorker: Everything}
	operator = rule{RoleOperator: Everything}
	givers   = rule{RoleOperator: Everything, Admin: Everything} // of roles and teams: by command, and by screen
	machines = rule{RoleWorker: Everything, RoleOperator: Everything}
	patient  = rule{RolePatient: Own, RoleNobody: Own}
	auditors = rule{Auditor: Everything, Admin: Everything}
	answerer = rule{Doctor: Team, Auditor: Everything, Admin: Everything} // to a patient who asks who has seen them
)

// policy is the whole of who may do what: one table, not a ladder. Rules on a single row (whose submission it is, whether
// it is clinical) are pure functions beside the deed's method and ask this table: approvable in review.go. People read it
// in testdata/roles.golden.
var policy = map[Deed]rule{
	SessionOpen: {RoleNobody: Own, Staff: Own, Reviewer: Own, Doctor: Own, Auditor: Own, Admin: Own, Ops: Own},
	SessionEnd:  {RoleNobody: Own, Staff: Own, Reviewer: Own, Doctor: Own, Auditor: Own, Admin: Own, Ops: Own},

	SessionList: everyone, SessionEndOther: everyone, SessionEndOthers: everyone,
	SessionListAll: admins, SessionEndAny: admins,

	WorklistShow: everyone,

	PatientList: writers, PatientSearch: writers, PatientShow: writers, PatientCreate: writers, PatientChange: writers, PatientEdit: writers,

	BriefNew: writers, BriefShow: writers, BriefCreate: writers, BriefEdit: writers,

	DraftShow: writers, DraftRequest: writers, DraftByHand: writers, DraftEdit: writers, DraftCheck: writers, DraftDiff: writers,
	FindingAnswer: writers,
	DraftClaim:    worker, DraftFinish: worker, DraftWrite: worker,

	ReviewList: writers, ReviewShow: writers,
	ReviewSubmit: authors, ReviewRecall: authors,
	ReviewApprove:         {Reviewer: TeamNotOwn, Doctor: Team},
	ReviewApproveClinical: {Doctor: Team},
	ReviewReturn:          {Reviewer: Team, Doctor: Team},

	MessageShow: writers, MessageUndo: authors,
	MessageWithdraw: {Doctor: Team},
	MessageSchedule: {Staff: Own, Reviewer: Own, Doctor: Team},
	MessageRetire:   worker,

	DeliveryClaim: worker, DeliveryRecord: worker, DeliverySweep: worker, DeliverySend: worker,
	DeliveryReconcile: machines, DeliverySettle: machines,
	DeliveryReceive: {RoleProvider: Everything},
	ReminderMake:    worker, CallList: writers, CallRecord: writers,
	DeliveryResend: writers, DeliveryMarkSent: writers,
	DeliveryList: writers, DeliveryPreview: {Doctor: Team}, DeliveryRetry: {Doctor: Team},

	SecurityShow: admins, SecurityEdit: admins, StatusShow: watchers, BreakerOpen: admins, BreakerClose: admins,
	AlertList: watchers, AlertAcknowledge: watchers, AlertSilence: watchers, AlertEvaluate: worker,
	InstanceHold: machines,
	InstanceShow: operator, DeliveryRestore: operator, DeliveryAsk: operator, InstanceRelease: operator,

	SettingsShow: {Doctor: Own, Admin: Everything}, SettingsEdit: {Doctor: Own},

	PageProve: patient, PageRead: patient, PageAcknowledge: patient, PageStop: patient,
	ConsentReply: {RoleProvider: Everything},

	QueueView: watchers, QueueOperate: admins,

	KeysShow: operator, KeysRotate: operator, AuditArchive: operator,
	BackupCreate: operator, BackupRestore: operator,

	NetworkList:  {Admin: Everything, RoleOperator: Everything},
	NetworkBlock: {Admin: Everything}, NetworkAllow: {Admin: Everything},
	NetworkUnblock: {Admin: Everything, RoleOperator: Everything}, // an operator lets in again whom a list shut out

	ReportKeep: {RoleNobody: Everything},
	ReportList: {Admin: Everything},

	ClinicShow: admins, ClinicEdit: admins, UsageShow: admins, PromptList: admins,
	JobList: watchers, JobRun: admins, JobNightly: worker,

	ClinicCreate: operator, StaffPut: operator,
	StaffList: givers, StaffAssign: givers, StaffDisable: givers, StaffEnable: givers,
	TeamList: admins, TeamSearch: admins, TeamShow: admins, TeamJoin: givers, TeamLeave: givers,

	GlassBreak: {Staff: Everything, Reviewer: Everything, Doctor: Everything}, GlassEnd: authors,
	GlassList: admins, GlassReview: admins,

	AuditSearch: auditors, AuditShow: auditors, AuditProve: auditors, AuditExport: auditors, AuditVerify: auditors, AuditChecks: auditors,
	AuditRun: worker, AuditOfPatient: answerer, AuditDisclosures: answerer,
	AccessMake: worker, AccessList: admins, AccessShow: admins, AccessSign: admins,
}

// views are deeds that only look. The same look by the same session within viewWindow is one act on the ledger;
// a live refresh of an open page is none for as long as a session can last.
var views = map[Deed]bool{
	WorklistShow: true, PatientList: true, PatientShow: true, PatientChange: true, BriefNew: true, BriefShow: true, DraftShow: true, DraftCheck: true, DraftDiff: true,
	ReviewList: true, ReviewShow: true, MessageShow: true, SettingsShow: true, StatusShow: true, QueueView: true, PageRead: true,
	DeliveryList: true, DeliveryPreview: true, CallList: true,
	SessionList: true, SessionListAll: true,
	NetworkList: true, ReportList: true, SecurityShow: true,
	AlertList: true,
	StaffList: true, TeamList: true, TeamShow: true, GlassList: true,
	ClinicShow: true, UsageShow: true, PromptList: true, JobList: true,
	AuditShow: true, AuditChecks: true, AuditOfPatient: true, AccessList: true, AccessShow: true,
}

// throughGlass are the deeds that break-glass opens on one patient: it reads, and never writes, approves or sends.
var throughGlass = map[Deed]bool{PatientShow: true, DraftShow: true, DraftDiff: true, ReviewShow: true, MessageShow: true}

// ActorKind tells people from machines on the ledger.
type ActorKind string

// The kinds of actors.
const (
	ActorPerson   ActorKind = "person"
	ActorWorker   ActorKind = "worker"
	ActorProvider ActorKind = "provider"
	ActorPatient  ActorKind = "patient"
	ActorOperator ActorKind = "operator"
	ActorNobody   ActorKind = "nobody"
)

// Actor is whoever does a deed, and from where.
type Actor struct {
	Kind       ActorKind
	ID         uuid.UUID
	ClinicID   uuid.UUID
	SessionID  uuid.UUID
	Role       Role
	Name       string
	Email      string
	ClinicName string
	SignedInAt time.Time
	IP         string
	Agent      string
	RequestID  string
	Live       bool  // a refresh that a page asked for by itself, not a person's act
	Reading    bool  // what is shown is open by break-glass: only looking is left
	seen       *seen // what a list has to find on a replica; nil: the primary answers it
}

// Can asks the policy table: the one that the deeds themselves are checked by.
func (a Actor) Can(deed Deed) bool { return a.May(deed) != None }

// May is on whose records the actor may do a deed.
func (a Actor) May(deed Deed) Scope {
	if a.Reading && !views[deed] {
		return None
	}
	return policy[deed][a.Role]
}

// Through says whether break-glass opens a deed.
func Through(deed Deed) bool { return throughGlass[deed] }

// SignedIn is true for a person who has a role.
func (a Actor) SignedIn() bool { return a.Kind == ActorPerson && a.Role != RoleNobody }

// Nobody is a caller who has not said who they are.
func Nobody(ip, agent, requestID string) Actor {
	return Actor{Kind: ActorNobody, IP: ip, Agent: agent, RequestID: requestID}
}

// WorkerActor is the worker process, acting on task id.
func WorkerActor(requestID string) Actor {
	return Actor{Kind: ActorWorker, Role: RoleWorker, Name: "worker", RequestID: requestID}
}

// ProviderActor is an outside service whose signature has been verified.
func ProviderActor(name, ip, requestID string) Actor {
	return Actor{Kind: ActorProvider, Role: RoleProvider, Name: name, IP: ip, Agent: name, RequestID: requestID}
}

// asPatient is whoever holds a link: nothing that a staff session knows of them goes with it.
func (a Actor) asPatient() Actor {
	return Actor{Kind: ActorPatient, Role: RolePatient, IP: a.IP, Agent: a.Agent, RequestID: a.RequestID}
}

// OperatorActor is whoever holds the command line and the database address.
func OperatorActor(name string) Actor {
	return Actor{Kind: ActorOperator, Role: RoleOperator, Name: name, Agent: "countersign"}
}
