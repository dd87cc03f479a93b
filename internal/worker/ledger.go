package worker

import (
	"context"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/faultpoint"
)

// anchoring is what a worker knows of the checkpoints that it has told of.
type anchoring struct {
	*Worker
	size int64     // of the last one
	at   time.Time // when
	said time.Time // when who watches jobs was last told of it
}

// seal seals what is new on the audit trail, and each AnchorEvery tells of the head outside the database, whoever sealed it.
func (a *anchoring) seal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	started := time.Now()
	for {
		done, err := a.cfg.Clinic.LedgerSeal(ctx)
		if err != nil {
			a.checkIn(err, time.Since(started))
			return err
		}
		if !done.More || ctx.Err() != nil {
			err := a.anchor(ctx, done.Head)
			if done.Head.Size > 0 {
				a.checkIn(err, time.Since(started))
			}
			return err
		}
	}
}

// checkIn says that sealing and anchoring went on, once each AnchorEvery, or that they did not.
func (a *anchoring) checkIn(err error, took time.Duration) {
	if time.Since(a.said) < a.cfg.AnchorEvery {
		return
	}
	a.said = time.Now()
	a.cfg.CheckIn("ledger", a.cfg.AnchorEvery, took, err == nil)
}

// anchor writes the head to the bucket, and as a line of the log: two places that the database's owner does not own.
func (a *anchoring) anchor(ctx context.Context, head clinic.Checkpoint) error {
	if head.Size <= a.size || time.Since(a.at) < a.cfg.AnchorEvery {
		return nil
	}
	if a.cfg.Anchor != nil {
		if err := a.cfg.Anchor(ctx, head); err != nil {
			return &clinic.Error{Kind: clinic.Unavailable, Code: "anchor_away"}
		}
	}
	faultpoint.Reach("ledger", "anchored")
	a.cfg.Log.Log(ctx, notice, "ledger checkpoint", "size", head.Size, "root", head.Root.String(), "checkpoint", head.Note)
	a.size, a.at = head.Size, time.Now()
	return nil
}
