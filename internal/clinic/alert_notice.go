package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/alert"
	"countersign/internal/db"
)

const (
	noticeLease   = time.Minute      // how long one sender has a notice to itself
	noticeMost    = 20               // at once
	noticeBackoff = 5 * time.Second  // doubles
	noticePause   = 10 * time.Minute // at most
	noticeUntil   = 24 * time.Hour   // then it is given up
)

// AlertNotice is a notice to be sent.
type AlertNotice struct {
	alert.Notice
	Way     string
	id      uuid.UUID
	attempt int32
}

// AlertNoticesTake lends what is due to one sender for a minute. One that dies has not sent it: another will, and people
// may hear twice, under the same id.
func (c *Clinic) AlertNoticesTake(ctx context.Context) ([]AlertNotice, error) {
	now := c.now().UTC()
	rows, err := db.New(c.pool).AlertNoticesTake(ctx, db.AlertNoticesTakeParams{LeaseUntil: now.Add(noticeLease), At: now, Most: noticeMost})
	var all []AlertNotice
	for _, r := range rows {
		rule, ok := alert.Of(r.Rule)
		if !ok {
			rule = alert.Rule{Name: r.Rule, Title: r.Rule}
		}
		all = append(all, AlertNotice{Way: r.Way, id: r.ID, attempt: r.Attempts, Notice: alert.Notice{ID: r.ID.String(), Alert: r.AlertID.String(), Rule: rule,
			Kind: r.Kind, Subject: r.Subject, Value: r.Value, Since: orZero(r.FiredAt), At: r.MadeAt}})
	}
	return all, err
}

// AlertNoticeSent writes down what became of it: sent if there is no code, else tried again later, for a day.
func (c *Clinic) AlertNoticeSent(ctx context.Context, n AlertNotice, code string) error {
	now := c.now().UTC()
	p := db.AlertNoticeSentParams{ID: n.id, Attempts: n.attempt, Code: code}
	switch {
	case code == "":
		p.SentAt = &now
	case now.Sub(n.At) < noticeUntil:
		p.NextAt = ptr(now.Add(min(noticeBackoff<<min(n.attempt-1, 10), noticePause)))
	}
	return db.New(c.pool).AlertNoticeSent(ctx, p)
}

// AlertsNow is what /metrics shows: when the rules were last evaluated, and how many alerts of each rule fire. About nobody.
func (c *Clinic) AlertsNow(ctx context.Context) (evaluated time.Time, firing map[string]int, err error) {
	q := db.New(c.pool)
	if evaluated, err = q.AlertRoundAt(ctx); err != nil {
		return evaluated, nil, err
	}
	rows, err := q.AlertsByRule(ctx)
	firing = map[string]int{}
	for _, r := range rows {
		firing[r.Rule] = int(r.Firing)
	}
	return evaluated, firing, err
}
