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
}

// seal seals what is new on the audit trail, and each AnchorEvery tells of the head outside the database, whoever sealed it.
func (a *anchoring) seal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		done, err := a.cfg.Clinic.LedgerSeal(ctx)
		if err != nil {
			return err
		}
		if !done.More || ctx.Err() != nil {
			return a.anchor(ctx, done.Head)
		}
	}
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
