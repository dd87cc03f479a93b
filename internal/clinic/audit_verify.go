package clinic

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// LedgerCheckup is a verification of the ledger that somebody asked for, and what it found.
type LedgerCheckup struct {
	ID                uuid.UUID
	By                string
	AskedAt           time.Time
	Started, Finished bool
	FinishedAt        time.Time
	Took              time.Duration
	Done, Total       int64  // leaves, while it runs
	Outcome           string // clean, tampered, failed, or nothing yet
	Code              string // why it could not be carried out
	Report            LedgerReport
}

// Percent is how far it is.
func (l LedgerCheckup) Percent() int64 { return 100 * l.Done / max(l.Total, 1) }

// Unanchored is how many leaves are under no anchor from outside yet.
func (l LedgerCheckup) Unanchored() int64 { return l.Report.Leaves - l.Report.Anchored }

// AuditVerify asks for a verification of the whole ledger, which a worker carries out. One runs at a time: who asks meanwhile
// waits for the same.
func (c *Clinic) AuditVerify(ctx context.Context, a Actor) (id uuid.UUID, err error) {
	id = newID()
	err = c.do(ctx, a, AuditVerify, Subject{Kind: "ledger", ID: id}, func(t *tx) error {
		open, err := t.CheckOpen(ctx, t.clinicID())
		if err == nil {
			id, t.subject.ID, t.detail["again"] = open, open, true
			return nil
		}
		if !noRows(err) {
			return err
		}
		t.names = append(t.names, "worklist-"+t.clinicID().String())
		return t.CheckCreate(ctx, db.CheckCreateParams{ID: id, ClinicID: t.clinicID(), AskedBy: a.ID, AskedAt: t.at})
	})
	if isUnique(err, "ledger_checks_one_at_a_time") { // two asked at the same moment
		return c.AuditVerify(ctx, a)
	}
	return id, err
}

// AuditChecks is the last verifications that were asked for, the newest first.
func (c *Clinic) AuditChecks(ctx context.Context, a Actor) ([]LedgerCheckup, error) {
	var out []LedgerCheckup
	err := c.do(ctx, a, AuditChecks, Subject{Kind: "ledger"}, func(t *tx) error {
		rows, err := t.ChecksLast(ctx, db.ChecksLastParams{ClinicID: t.clinicID(), RowLimit: checksShown})
		for _, r := range rows {
			l := LedgerCheckup{ID: r.ID, By: r.AskedByName, AskedAt: r.AskedAt, Started: r.Attempts > 0, Finished: r.FinishedAt != nil, FinishedAt: orZero(r.FinishedAt),
				Took: time.Duration(r.TookMs) * time.Millisecond, Done: r.Done, Total: r.Total, Outcome: r.Outcome, Code: r.Code}
			if err := json.Unmarshal(r.Report, &l.Report); err != nil {
				return err
			}
			out = append(out, l)
		}
		return err
	})
	return out, err
}

// AuditRun carries out one verification that was asked for, if there is one that nobody is at: with the anchors that the worker
// reads outside the database. A worker that is lost over it is followed by another, three times.
func (c *Clinic) AuditRun(ctx context.Context, a Actor, anchors func(context.Context) ([]Anchor, error)) (ran bool, err error) {
	if !a.Can(AuditRun) {
		return false, c.do(ctx, a, AuditRun, Subject{Kind: "ledger"}, nil)
	}
	now := c.now().UTC()
	job, err := db.New(c.pool).CheckClaim(ctx, db.CheckClaimParams{LeaseUntil: ptr(now.Add(checkLease)), At: &now})
	if noRows(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a.ClinicID = job.ClinicID
	began := time.Now()
	report, code := LedgerReport{}, "gave_up"
	if job.Attempts <= checkTries {
		report, code = c.checkUp(ctx, job, anchors)
	}
	if ctx.Err() != nil { // the worker stops; its lease runs out, and another begins again
		return false, nil
	}
	return true, c.checkedUp(ctx, a, job, report, code, time.Since(began))
}

// checkUp verifies, and says now and then how far it is. code: why it could not be done.
func (c *Clinic) checkUp(ctx context.Context, job db.CheckClaimRow, anchors func(context.Context) ([]Anchor, error)) (report LedgerReport, code string) {
	check := LedgerCheck{Known: c.known, Archives: c.old}
	if c.known == (ledger.Verifiers{}) {
		return report, "no_key"
	}
	if anchors != nil {
		kept, err := anchors(ctx)
		if err != nil {
			return report, "anchors_away"
		}
		check.Anchors = kept
	}
	last := time.Now()
	check.Progress = func(done, of int64) {
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		_, err := db.New(c.pool).CheckProgress(ctx, db.CheckProgressParams{Done: done, Total: of, LeaseUntil: ptr(c.now().UTC().Add(checkLease)),
			ID: job.ID, ClinicID: job.ClinicID, Attempts: job.Attempts})
		if err == nil {
			c.tell(ctx, &news{names: []string{"worklist-" + job.ClinicID.String()}})
		}
	}
	report, err := c.LedgerVerify(ctx, check)
	if err != nil {
		if code = Code(err); code == "" {
			code = "database"
		}
	}
	return report, code
}

// checkedUp keeps what was found, and puts it on the trail.
func (c *Clinic) checkedUp(ctx context.Context, a Actor, job db.CheckClaimRow, report LedgerReport, code string, took time.Duration) error {
	return c.do(ctx, a, AuditRun, Subject{Kind: "ledger", ID: job.ID}, func(t *tx) error {
		outcome := "clean"
		switch {
		case code != "":
			outcome = "failed"
		case len(report.Findings) > 0:
			outcome = "tampered"
			t.alarms = append(t.alarms, "ledger_tampered")
		}
		raw, err := json.Marshal(report)
		if err != nil {
			return err
		}
		n, err := t.CheckFinish(ctx, db.CheckFinishParams{At: &t.at, TookMs: took.Milliseconds(), Outcome: outcome, Code: code, Report: raw,
			ID: job.ID, ClinicID: job.ClinicID, Attempts: job.Attempts})
		t.silent = n == 0 // another worker has taken it over
		t.detail["outcome"], t.detail["leaves"], t.detail["findings"], t.detail["root"] = outcome, report.Leaves, len(report.Findings)+report.More, report.Root
		if code != "" {
			t.detail["code"] = code
		}
		t.names = append(t.names, "worklist-"+job.ClinicID.String())
		return err
	})
}
