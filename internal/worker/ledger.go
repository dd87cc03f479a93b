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
	at   time.Time // when it was told
	said time.Time // when the job was last told of
}

// anchorsJob is the part of sealing that writes outside.
const anchorsJob = "anchors"

// seal seals what is new on the audit trail, and each AnchorEvery tells of the head outside the database, whoever sealed it.
func (a *anchoring) seal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	started := time.Now()
	for {
		done, err := a.cfg.Clinic.LedgerSeal(ctx)
		switch {
		case err != nil:
			a.told(ctx, started, codeOf(err))
			return err
		case done.Off:
			a.told(ctx, started, clinic.JobOff)
			return off
		case done.More && ctx.Err() == nil:
			continue
		}
		err = a.anchor(ctx, done.Head)
		code := ""
		if err != nil {
			code = codeOf(err)
		}
		a.told(ctx, started, code)
		return err
	}
}

// told says once each AnchorEvery that sealing and anchoring went on, or that they did not: without the one there is nothing new
// for the other.
func (a *anchoring) told(ctx context.Context, began time.Time, code string) {
	if time.Since(a.said) >= a.cfg.AnchorEvery {
		a.said = time.Now()
		a.Ran(ctx, anchorsJob, a.cfg.AnchorEvery, began, code)
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
	a.cfg.Log.Log(ctx, record, "ledger checkpoint", "size", head.Size, "root", head.Root.String(), "checkpoint", head.Note)
	a.size, a.at = head.Size, time.Now()
	return nil
}
