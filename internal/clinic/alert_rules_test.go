package clinic_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/alert"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/slo"
)

// alertCauses make each rule true by what really happens, and say of whom it is: docs and rules are held to this table.
// What is true of one person is named by their id.
var alertCauses = map[string]func(t *testing.T, w *clinictest.World) (subject string){
	"sending_stopped": func(t *testing.T, w *clinictest.World) string { hold(t, w, 7); return "" },
	"breaker_open": func(t *testing.T, w *clinictest.World) string {
		must(t, w.Clinic.BreakerOpen(ctx, w.Admin, "sms", channelRev(t, w, "sms")))
		return "sms"
	},
	"queue_age": func(t *testing.T, w *clinictest.World) string {
		w.Approved(t, w.Patient, "email")
		w.Clock.Add(3 * time.Minute)
		return "email"
	},
	"unknown": func(t *testing.T, w *clinictest.World) string {
		for range 5 {
			p := claimed(t, w, w.Approved(t, w.Patient, "email"))
			must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", outcome(clinic.OutcomeUnknown, "timeout")))
		}
		return "email"
	},
	"needs_person": func(t *testing.T, w *clinictest.World) string { undecided(t, w); return "sms" },
	"sealing_lag": func(t *testing.T, w *clinictest.World) string {
		_, err := w.Clinic.LedgerSeal(ctx)
		must(t, err)
		_, err = w.Clinic.StatusShow(ctx, w.Ops)
		must(t, err)
		w.Clock.Add(3 * time.Minute)
		return ""
	},
	"backup_age": func(_ *testing.T, w *clinictest.World) string { w.Clock.Add(27 * time.Hour); return "" },
	"budget": func(t *testing.T, w *clinictest.World) string {
		at(t, w, 1, 10) // a budget is a day's, and begins anew at midnight
		_, request := asked(t, w)
		answer := answered()
		answer.PromptTokens = 6_000_000 // 2.40 of the 4 dollars that stop staff
		must(t, w.Clinic.DraftFinish(ctx, worker, assigned(t, w, request), answer))
		return w.Staff.ID.String()
	},
	"webhook_forged": func(_ *testing.T, w *clinictest.World) string {
		for range 10 {
			w.Clinic.Refused(ctx, nobody, clinic.DeliveryReceive, "signature")
		}
		return ""
	},
	"sign_in_refused": func(_ *testing.T, w *clinictest.World) string {
		for range 20 {
			w.Clinic.Refused(ctx, nobody, clinic.SessionOpen, "assertion")
		}
		return ""
	},
	"person_refused": func(t *testing.T, w *clinictest.World) string {
		for range 20 {
			_, err := w.Clinic.PatientList(ctx, w.Auditor, "")
			wantKind(t, err, clinic.Forbidden, "the patients, to an auditor")
		}
		return w.Auditor.ID.String()
	},
	"ids_tried": func(t *testing.T, w *clinictest.World) string {
		for range 10 {
			_, err := w.Clinic.PatientShow(ctx, w.Doctor2, uuid.New())
			wantKind(t, err, clinic.NotFound, "a made-up id")
		}
		return w.Doctor2.ID.String()
	},
	"mass_views": func(t *testing.T, w *clinictest.World) string {
		for i := range 60 {
			id, err := w.Clinic.PatientCreate(ctx, w.Doctor, clinic.PatientForm{Name: "Ada Brook", BirthDate: "1980-02-03", MRN: fmt.Sprint(70000 + i), Language: "en"})
			must(t, err)
			w.Clock.Add(40 * time.Second)
			must(t, w.Clinic.TeamJoin(ctx, w.Operator, id, w.Doctor2.ID))
			_, err = w.Clinic.PatientShow(ctx, w.Doctor2, id)
			must(t, err)
		}
		return w.Doctor2.ID.String()
	},
	"error_rate": func(t *testing.T, w *clinictest.World) string {
		figures(t, w, slo.ErrorRate, slo.Seen{Count: 100, Good: 98, Value: .02})
		return ""
	},
	"latency": func(t *testing.T, w *clinictest.World) string {
		var h slo.Histogram
		for range 100 {
			h.Observe(slo.Bounds, .4)
		}
		figures(t, w, slo.FirstResponse, slo.Seen{Count: 100, Histogram: h})
		return ""
	},
	"uptime": func(t *testing.T, w *clinictest.World) string {
		must(t, w.Clinic.UpBeat(ctx)) // the first heartbeat, and then none
		w.Clock.Add(3 * time.Minute)
		return ""
	},
	"mass_exports": func(t *testing.T, w *clinictest.World) string {
		for range 3 {
			must(t, w.Clinic.AuditExport(ctx, w.Auditor, clinic.AuditFilter{}, "csv", &counted{}))
		}
		return w.Auditor.ID.String()
	},
	"glass_used": func(t *testing.T, w *clinictest.World) string {
		_, err := w.Clinic.PatientCreate(ctx, w.Doctor2, clinic.PatientForm{Name: "Ada Winter", BirthDate: "1950-01-02", MRN: "80001", Language: "en"})
		must(t, err)
		_, err = w.Clinic.GlassBreak(ctx, w.Staff, clinic.GlassForm{MRN: "80001", Reason: "Collapsed in the waiting room."})
		must(t, err)
		return ""
	},
	"page_guessing": func(t *testing.T, w *clinictest.World) string {
		for range 20 {
			_, err := w.Clinic.PageProve(ctx, nobody, "a-guessed-link", "1967-05-30")
			wantCode(t, err, "proof", "a guessed link")
		}
		return ""
	},
}

// figures keeps what a process counted in this minute.
func figures(t *testing.T, w *clinictest.World, of slo.Figure, seen slo.Seen) {
	t.Helper()
	must(t, w.Clinic.FiguresKeep(ctx, uuid.New(), w.Clock.Now(), []clinic.Counted{{Figure: of, Seen: seen}}))
}

func channelRev(t *testing.T, w *clinictest.World, channel string) int {
	t.Helper()
	s, err := w.Clinic.StatusShow(ctx, w.Admin)
	must(t, err)
	for _, c := range s.Channels {
		if c.Channel == channel {
			return c.Rev
		}
	}
	t.Fatalf("there is no channel %s", channel)
	return 0
}

// ways are all that people can be told by.
var ways = []string{"sentry", "email", "webhook"}

// round is how a worker evaluates the rules in these tests.
var round = clinic.AlertRound{Every: time.Minute, Repeat: 4 * time.Hour, Ways: ways}

// evaluate moves the clock by a minute and evaluates, n times.
func evaluate(t *testing.T, w *clinictest.World, n int) (done clinic.AlertsDone) {
	t.Helper()
	for range n {
		w.Clock.Add(time.Minute)
		one, err := w.Clinic.AlertEvaluate(ctx, worker, round)
		must(t, err)
		if !one.Led {
			t.Fatal("nobody evaluated")
		}
		done.Fired, done.Cleared, done.Firing, done.Led = done.Fired+one.Fired, done.Cleared+one.Cleared, one.Firing, true
	}
	return done
}

// firing are the rules that fire, with what they are of.
func firing(t *testing.T, w *clinictest.World) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, row := range w.Strings(t, "SELECT rule || ' ' || subject FROM alerts WHERE state = 'firing'") {
		rule, subject, _ := strings.Cut(row, " ")
		all[rule] = subject
	}
	return all
}

// Each rule fires when what it is about is really so, of whom it is, alone, and not before it has been so for long enough; it
// is told by every way, and is on the trail.
func TestEachAlertFires(t *testing.T) {
	t.Parallel()
	for _, rule := range alert.Rules {
		cause, ok := alertCauses[rule.Name]
		if !ok {
			t.Errorf("nobody makes %s true", rule.Name)
			continue
		}
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			_, key, known := clinictest.LedgerKey(t)
			w := clinictest.New(t, clinictest.Sealing(key, known))
			if rule.Name != "sealing_lag" {
				evaluate(t, w, rule.For+1)
			}
			if got := firing(t, w); len(got) != 0 {
				t.Fatalf("in a quiet clinic fires %v", got)
			}
			subject := cause(t, w)
			evaluate(t, w, rule.For-1)
			if _, ok := firing(t, w)[rule.Name]; ok {
				t.Error("it fires before its time")
			}
			evaluate(t, w, 1)
			got := firing(t, w)
			if of, ok := got[rule.Name]; !ok || of != subject {
				t.Fatalf("it does not fire of %q: %v", subject, got)
			}
			wantCount(t, w, 3, "notices, one a way", "SELECT count(*) FROM alert_notices n JOIN alerts a ON a.id = n.alert_id WHERE a.rule = $1 AND n.kind = 'fired'", rule.Name)
			wantCount(t, w, 1, "events on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'alert.evaluate' AND detail->>'rule' = $1 AND detail->>'to' = 'firing'", rule.Name)
		})
	}
	for name := range alertCauses {
		if _, ok := alert.Of(name); !ok {
			t.Errorf("%s is made true, and is no rule", name)
		}
	}
}
