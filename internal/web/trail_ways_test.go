package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// ways is how each form is sent so that it is done, and the pages that want more than an id.
func (s trail) ways() map[string]way {
	all := map[string]way{}
	for _, some := range []map[string]way{s.waysOfPeople(), s.waysOfKeepers(), s.waysOfMessages(), s.waysOfDeliveries(), s.waysOutside(), s.waysOfAuditors()} {
		for name, w := range some {
			all[name] = w
		}
	}
	return all
}

func (s trail) waysOfPeople() map[string]way {
	w := s.world
	patient := []string{"name", "Ada Brook", "birth_date", "1980-02-03", "language", "en", "doctor_id", w.Doctor.ID.String(), "mrn"}
	mended := []string{"name", "Rosa Delgado", "birth_date", "1967-05-30", "language", "en", "doctor_id", w.Doctor.ID.String(), "mrn", "20441", "version", "1",
		"email", "p20441@mail.example", "phone", "+1 415 555 0441"}
	return map[string]way{
		"GET " + pathArrival: func() *httptest.ResponseRecorder {
			v := s.visitor(s.t)
			v.cookies["CF_Authorization"] = assertion(s.t, w.Staff.Name, w.Clock.Now())
			return v.get(pathArrival + "?next=%2F")
		},
		"POST /sign-out":            s.press(w.Staff, "/sign-out"),
		"POST /sessions/end-others": s.press(w.Staff, "/sessions/end-others"),
		"POST /sessions/:id/end-other": func() *httptest.ResponseRecorder {
			s.as(s.t, w.Staff)
			return s.as(s.t, w.Staff).post("/sessions/" + s.session(w.Staff) + "/end-other")
		},
		"POST /sessions/:id/end-any": func() *httptest.ResponseRecorder {
			s.as(s.t, w.Staff)
			return s.as(s.t, w.Admin).post("/sessions/" + s.session(w.Staff) + "/end-any")
		},
		"POST /patients/search":   s.press(w.Staff, "/patients/search", "term", "delgado"),
		"POST /patients/new":      s.press(w.Staff, "/patients/new", append(patient, "4471")...),
		"POST /patients/:id/edit": s.press(w.Staff, "/patients/"+w.Patient.String()+"/edit", mended...),
		"GET /settings/:id":       func() *httptest.ResponseRecorder { return s.as(s.t, w.Admin).get("/settings/" + w.Doctor.ID.String()) },
		"POST /settings": s.press(w.Doctor, "/settings", "version", "0", "tone", "warm", "reading_level", "middle", "max_words", "120", "specialty", "Cardiology",
			"sign_off", "Kind regards, Dr Osei"),
		"POST /glass/break": s.press(w.Doctor2, "/glass/break", "mrn", "20441", "reason", "Collapsed in the waiting room."),
		"POST /glass/:id/end": func() *httptest.ResponseRecorder {
			v := s.as(s.t, w.Doctor2)
			v.post("/glass/break", "mrn", "20441", "reason", "Collapsed in the waiting room.")
			return v.post("/glass/" + s.glass() + "/end")
		},
	}
}

// session is the newest of a person; glass the newest emergency access.
func (s trail) session(who clinic.Actor) string {
	return s.world.Strings(s.t, "SELECT id::text FROM sessions WHERE staff_id = $1 AND ended_at IS NULL ORDER BY id LIMIT 1", who.ID)[0]
}
func (s trail) glass() string {
	return s.world.Strings(s.t, "SELECT id::text FROM glass ORDER BY id DESC LIMIT 1")[0]
}

func (s trail) waysOfKeepers() map[string]way {
	w := s.world
	spare, patient := "/staff/"+w.Staff2.ID.String(), "/teams/"+w.Patient.String()
	return map[string]way{
		"POST /staff/:id/assign":  s.press(w.Admin, spare+"/assign", "role", "reviewer"),
		"POST /staff/:id/disable": s.press(w.Admin, spare+"/disable"),
		"POST /staff/:id/enable":  s.press(w.Admin, spare+"/enable"),
		"POST /teams/search":      s.press(w.Admin, "/teams/search", "term", "20441"),
		"POST /teams/:id/join":    s.press(w.Admin, patient+"/join", "staff", w.Doctor2.ID.String()),
		"POST /teams/:id/leave":   s.press(w.Admin, patient+"/leave", "staff", w.Doctor2.ID.String()),
		"POST /glass/:id/review": func() *httptest.ResponseRecorder {
			return s.as(s.t, w.Admin).post("/glass/"+s.glass()+"/review", "note", "Called the ward.")
		},
		"POST /clinic":         s.press(w.Admin, "/clinic", clinicForm("notice_name", "The care team")...),
		"POST /jobs/:job/run":  s.press(w.Admin, "/jobs/nightly/run"),
		"POST /networks/block": s.press(w.Admin, "/networks/block", "what", "198.51.100.0/24", "reason", "probing", "lasts", "24"),
		"POST /networks/allow": s.press(w.Admin, "/networks/allow", "what", "192.0.2.0/24", "reason", "our office", "lasts", "24"),
		"POST /networks/:id/unblock": func() *httptest.ResponseRecorder {
			return s.as(s.t, w.Admin).post("/networks/"+w.Strings(s.t, "SELECT id::text FROM networks WHERE kind = 'block' ORDER BY id LIMIT 1")[0]+"/unblock", "sure", "1")
		},
		"POST /security/edit":           s.press(w.Admin, "/security/edit", "sign_fresh", "30"),
		"POST /alerts/:id/acknowledge":  func() *httptest.ResponseRecorder { return s.alert("acknowledge", "note", "Asked.") },
		"POST /alerts/:id/silence":      func() *httptest.ResponseRecorder { return s.alert("silence", "lasts", "8") },
		"POST /breakers/:channel/open":  func() *httptest.ResponseRecorder { return s.breaker("open") },
		"POST /breakers/:channel/close": func() *httptest.ResponseRecorder { return s.breaker("close") },
		"GET " + pathBoard:              func() *httptest.ResponseRecorder { return s.as(s.t, w.Ops).get(pathBoard) },
		"POST " + pathBoard + "/*":      s.press(w.Admin, pathBoard+"/api/queues/x:pause"),
		"DELETE " + pathBoard + "/*": func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodDelete, pathBoard+"/api/queues/x", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			return s.as(s.t, w.Admin).do(r)
		},
	}
}

func (s trail) breaker(act string) *httptest.ResponseRecorder {
	version := s.world.Strings(s.t, "SELECT rev::text FROM breakers WHERE channel = 'sms'")[0]
	return s.as(s.t, s.world.Admin).post("/breakers/sms/"+act, "version", version)
}

func (s trail) waysOfMessages() map[string]way {
	w := s.world
	on := s.on
	return map[string]way{
		"GET /briefs/new": func() *httptest.ResponseRecorder {
			return s.as(s.t, w.Staff).get("/briefs/new?patient=" + w.Patient.String())
		},
		"POST /briefs":          s.press(w.Staff, "/briefs", briefFields(s.site, uuid.NewString())...),
		"GET /briefs/:id/edit":  func() *httptest.ResponseRecorder { return s.as(s.t, w.Staff).get("/briefs/" + s.draft() + "/edit") },
		"POST /briefs/:id/edit": on(w.Staff, "/briefs/:id/edit", s.draft, briefFields(s.site, "", "version", "VERSION")...),
		"GET /drafts/:id/diff": func() *httptest.ResponseRecorder {
			return s.as(s.t, w.Staff).get("/drafts/" + s.written() + "/diff?from=1&to=1")
		},
		"POST /drafts/:id/request":  on(w.Staff, "/drafts/:id/request", s.draft),
		"POST /drafts/:id/by-hand":  on(w.Staff, "/drafts/:id/by-hand", s.brief),
		"POST /drafts/:id/check":    on(w.Staff, "/drafts/:id/check", s.draft, "version", "VERSION", "text", "Dear Rosa Delgado,"),
		"POST /drafts/:id/edit":     on(w.Staff, "/drafts/:id/edit", s.draft, "version", "VERSION", "text", clinictest.Letter),
		"POST /drafts/:id/findings": func() *httptest.ResponseRecorder { return s.answers(w.Staff, "/drafts/", s.draft()) },
		"POST /drafts/:id/submit":   on(w.Staff, "/drafts/:id/submit", s.written, "version", "VERSION"),

		"POST /reviews/:id/approve":   on(w.Doctor, "/reviews/:id/approve", s.answered, "version", "VERSION"),
		"POST /reviews/:id/return":    on(w.Doctor, "/reviews/:id/return", s.submitted, "version", "VERSION", "note", "Once more, please."),
		"POST /reviews/:id/recall":    on(w.Staff, "/reviews/:id/recall", s.submitted, "version", "VERSION"),
		"POST /reviews/:id/findings":  func() *httptest.ResponseRecorder { return s.answers(w.Doctor, "/reviews/", s.doubtful()) },
		"POST /messages/:id/undo":     on(w.Doctor, "/messages/:id/undo", s.signedJustNow, "version", "VERSION"),
		"POST /messages/:id/withdraw": on(w.Doctor, "/messages/:id/withdraw", s.signed, "version", "VERSION"),
		"POST /messages/:id/schedule": on(w.Doctor, "/messages/:id/schedule", s.submitted, "version", "VERSION", "when", "later", "send_at",
			w.Clock.Now().Add(30*60*60*1e9).Format("2006-01-02T15:04")),
	}
}

func (s trail) answers(who clinic.Actor, path, id string) *httptest.ResponseRecorder {
	fields := []string{"key", s.finding(id)}
	if path == "/drafts/" {
		fields = append(fields, "version", s.version(id), "text", string(s.world.Show(s.t, who, uuid.MustParse(id)).Text))
	}
	return s.as(s.t, who).post(path+id+"/findings", fields...)
}

// doubtful is a submitted message with a number that the brief does not have.
func (s trail) doubtful() string {
	id := s.written()
	_, err := s.world.Clinic.DraftEdit(ctx(), s.world.Staff, uuid.MustParse(id), s.world.Show(s.t, s.world.Staff, uuid.MustParse(id)).Message.Version,
		clinictest.Letter+" We see you in 14 days.")
	if err == nil {
		err = s.world.Clinic.ReviewSubmit(ctx(), s.world.Staff, uuid.MustParse(id), s.world.Show(s.t, s.world.Staff, uuid.MustParse(id)).Message.Version)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s trail) version(id string) string {
	return s.world.Strings(s.t, "SELECT version::text FROM messages WHERE id = $1", uuid.MustParse(id))[0]
}

func (s trail) brief() string {
	id, err := s.world.Clinic.BriefCreate(ctx(), s.world.Staff, s.world.Brief(s.world.Patient, "email"))
	if err != nil {
		s.t.Fatal(err)
	}
	return id.String()
}

func (s trail) signedJustNow() string {
	s.world.UndoWindow(s.t, 30)
	defer s.world.UndoWindow(s.t, 0)
	return s.signed()
}

func (s trail) waysOfDeliveries() map[string]way {
	w := s.world
	settle := func(act string) way {
		return func() *httptest.ResponseRecorder {
			_, delivery, rev := undecided(s.t, s.site)
			return s.as(s.t, w.Staff).post("/deliveries/"+delivery+"/"+act, "version", rev)
		}
	}
	preview := func() (*visitor, *httptest.ResponseRecorder) {
		_, delivery := failed(s.t, s.site, "400")
		v := s.as(s.t, w.Doctor)
		return v, v.post("/deliveries/preview", "pick", delivery)
	}
	return map[string]way{
		"POST /deliveries/preview": func() *httptest.ResponseRecorder { _, got := preview(); return got },
		"POST /deliveries/retry": func() *httptest.ResponseRecorder {
			v, got := preview()
			return v.post("/deliveries/retry", confirmed(got)...)
		},
		"POST /calls/:id/record": func() *httptest.ResponseRecorder {
			id := unread(s.t, s.site, true)
			return s.as(s.t, w.Staff).post("/calls/"+id+"/record", "version", "0", "outcome", "no_answer")
		},
		"POST /deliveries/:id/resend":    settle("resend"),
		"POST /deliveries/:id/mark-sent": settle("mark-sent"),
	}
}

// waysOutside are a patient's on their page, and the providers'.
func (s trail) waysOutside() map[string]way {
	proven := func() (*visitor, string, *httptest.ResponseRecorder) {
		s.signed()
		link, v := linkOf(s.t, s.site), s.visitor(s.t)
		return v, link, v.post(link, "month", "5", "day", "30", "year", "1967")
	}
	hook := func(body string, path func() string) way {
		return func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, path(), strings.NewReader(body))
			r.Header.Set("Stamp", "ok")
			return s.visitor(s.t).do(r)
		}
	}
	return map[string]way{
		"POST /m/:token":             func() *httptest.ResponseRecorder { _, _, got := proven(); return got },
		"GET /m/:token/read":         func() *httptest.ResponseRecorder { v, link, _ := proven(); return v.get(link + "/read") },
		"POST /m/:token/acknowledge": func() *httptest.ResponseRecorder { v, link, _ := proven(); return v.post(link + "/acknowledge") },
		"POST /m/:token/stop": func() *httptest.ResponseRecorder {
			s.signed()
			return s.visitor(s.t).post(linkOf(s.t, s.site) + "/stop")
		},
		"POST /webhooks/sendgrid": hook("one", func() string {
			_, delivery := failed(s.t, s.site, "400")
			*s.about = uuid.MustParse(delivery)
			return "/webhooks/sendgrid"
		}),
		"POST /webhooks/twilio/:delivery": hook("two", func() string {
			_, delivery := failed(s.t, s.site, "400")
			return "/webhooks/twilio/" + delivery
		}),
		"POST /webhooks/twilio": hook("STOP", func() string { return "/webhooks/twilio" }),
	}
}

// alert answers an alert that fires because an emergency access waits for its review.
func (s trail) alert(act string, fields ...string) *httptest.ResponseRecorder {
	w := s.world
	s.as(s.t, w.Doctor2).post("/glass/break", "mrn", "20441", "reason", "Collapsed in the waiting room.")
	w.Clock.Add(time.Minute)
	if _, err := w.Clinic.AlertEvaluate(ctx(), clinic.WorkerActor("alerts"), clinic.AlertRound{Every: time.Second}); err != nil {
		s.t.Fatal(err)
	}
	row := strings.Fields(w.Strings(s.t, "SELECT id || ' ' || rev FROM alerts WHERE state = 'firing' AND acknowledged_at IS NULL OR state = 'firing' AND $1 = 'silence' ORDER BY id LIMIT 1", act)[0])
	return s.as(s.t, w.Ops).post("/alerts/"+row[0]+"/"+act, append(fields, "version", row[1])...)
}

// waysOfAuditors read the trail; an event is proved by a clinic that seals.
func (s trail) waysOfAuditors() map[string]way {
	w := s.world
	_, key, known := clinictest.LedgerKey(s.t)
	sealing := w.Again(s.t, clinictest.Sealing(key, known))
	sealed := func(more string) way {
		return func() *httptest.ResponseRecorder {
			plain := s.cfg.Clinic
			s.cfg.Clinic = sealing
			defer func() { s.cfg.Clinic = plain }()
			if _, err := sealing.LedgerSeal(ctx()); err != nil {
				s.t.Fatal(err)
			}
			return s.as(s.t, w.Auditor).get("/audit/" + w.Strings(s.t, "SELECT event_id::text FROM ledger_leaves LIMIT 1")[0] + more)
		}
	}
	review := func() string {
		at := w.Clock.Now()
		w.Clock.Add(8 * 24 * time.Hour)
		defer func() { w.Clock.Add(at.Sub(w.Clock.Now())) }()
		if _, err := w.Clinic.AccessMake(ctx(), clinic.WorkerActor("test")); err != nil {
			s.t.Fatal(err)
		}
		return w.Strings(s.t, "SELECT id::text FROM access_reviews")[0]
	}
	return map[string]way{
		"POST /audit/search":   s.press(w.Auditor, "/audit/search", "outcome", "done"),
		"POST /audit/export":   s.press(w.Auditor, "/audit/export", "format", "csv", "outcome", "done"),
		"POST /audit/verify":   s.press(w.Auditor, "/audit/verify"),
		"GET /audit/:id":       sealed(""),
		"GET /audit/:id/proof": sealed("/proof"),
		"GET /access/:id":      func() *httptest.ResponseRecorder { return s.as(s.t, w.Admin).get("/access/" + review()) },
		"POST /access/:id/sign": func() *httptest.ResponseRecorder {
			return s.as(s.t, w.Admin).post("/access/"+review()+"/sign", "note", "All known.")
		},
	}
}
