package app

import (
	"context"

	"countersign/internal/clinic"
)

// anchors reads the checkpoints outside the database, for a verification that was asked for on the screen; nil without a place
// outside.
func (a *App) anchors() func(context.Context) ([]clinic.Anchor, error) {
	if a.bucket == nil {
		return nil
	}
	return func(ctx context.Context) ([]clinic.Anchor, error) { return anchorsIn(ctx, a.bucket) }
}
