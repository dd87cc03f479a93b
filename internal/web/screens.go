package web

// Layouts: around the pages of people who are signed in, of nobody, and of patients.
const (
	layoutMain    name = "layout"
	layoutPlain   name = "plain"
	layoutPatient name = "page/layout"
)

// Pages.
const (
	pageSignIn      name = "session/sign-in"
	pageSignedOut   name = "session/signed-out"
	pageNoRole      name = "session/no-role"
	pageSessions    name = "session/list"
	pageWorklist    name = "worklist/show"
	pagePatients    name = "patient/list"
	pagePatient     name = "patient/show"
	pagePatientForm name = "patient/form"
	pageBrief       name = "brief/form"
	pageDraft       name = "draft/show"
	pageDiff        name = "draft/diff"
	pageReview      name = "review/show"
	pageMessage     name = "message/show"
	pageStatus      name = "status/show"
	pageDeliveries  name = "delivery/show"
	pageRetry       name = "delivery/preview"
	pageCalls       name = "call/show"
	pageSettings    name = "settings/show"
	pageStaff       name = "staff/list"
	pageTeams       name = "team/list"
	pageTeam        name = "team/show"
	pageGlass       name = "glass/form"
	pageGlassList   name = "glass/list"
	pageAsk         name = "page/ask"
	pageRead        name = "page/read"
	pageStop        name = "page/stop"
	pageStopped     name = "page/stopped"
	pageEnded       name = "page/ended"
	pageNetworks    name = "network/list"
	pageReports     name = "report/list"
	pageSecurity    name = "security/show"
	pageAlerts      name = "alert/list"
	pageUsage       name = "usage/show"
	pagePrompts     name = "prompt/list"
	pageClinic      name = "clinic/show"
	pageJobs        name = "job/list"
	pageAudit       name = "audit/search"
	pageAuditEvent  name = "audit/show"
	pageChecks      name = "audit/verify"
	pageSeen        name = "audit/patient"
	pageDisclosures name = "audit/disclosures"
	pageAccessList  name = "access/list"
	pageAccess      name = "access/show"
	pageStyleguide  name = "styleguide/show"
	pageError       name = "error"
)

// Partials that are answers of their own to htmx.
const (
	partWorklist   name = "worklist/_list"
	partPatients   name = "patient/_rows"
	partFlags      name = "brief/_flags"
	partCard       name = "draft/_card"
	partProgress   name = "draft/_progress"
	partChecks     name = "draft/_checks"
	partSaved      name = "draft/_saved"
	partReview     name = "review/_panel"
	partTimeline   name = "message/_live"
	partStatus     name = "status/_live"
	partAlerts     name = "alert/_live"
	partFigures    name = "status/_figures"
	partPreview    name = "settings/_preview"
	partError      name = "_error"
	partDeliveries name = "delivery/_list"
	partCalls      name = "call/_list"
	partChecksLive name = "audit/_checks"
	partReportHead name = "audit/_report-head"
	partReportRows name = "audit/_report-rows"
	partReportFoot name = "audit/_report-foot"
)

// layoutOf is the layout a page stands in.
func layoutOf(page name) name {
	switch page {
	case pageSignIn, pageSignedOut, pageNoRole:
		return layoutPlain
	case pageAsk, pageRead, pageStop, pageStopped, pageEnded:
		return layoutPatient
	default:
		return layoutMain
	}
}

func allScreens() []screen {
	var all []screen
	for _, p := range []name{pageSignIn, pageSignedOut, pageNoRole, pageSessions, pageWorklist, pagePatients, pagePatient, pagePatientForm, pageBrief,
		pageDraft, pageDiff, pageReview, pageMessage, pageStatus, pageDeliveries, pageRetry, pageCalls, pageSettings, pageStaff, pageTeams, pageTeam, pageGlass, pageGlassList,
		pageAsk, pageRead, pageStop, pageStopped,
		pageEnded, pageNetworks, pageReports, pageSecurity, pageAlerts, pageUsage, pagePrompts, pageClinic, pageJobs, pageAudit, pageAuditEvent, pageChecks, pageSeen, pageDisclosures, pageAccessList, pageAccess,
		pageStyleguide, pageError} {
		all = append(all, screen{p, layoutOf(p)})
	}
	return append(all, screen{pageError, layoutPlain}) // when nobody is signed in, or nobody can be looked up
}

func allParts() []name {
	return []name{partWorklist, partPatients, partFlags, partCard, partProgress, partChecks, partSaved, partReview, partTimeline,
		partStatus, partFigures, partAlerts, partDeliveries, partCalls, partPreview, partError, partChecksLive, partReportHead, partReportRows, partReportFoot}
}
