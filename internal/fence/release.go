package fence

import (
	"context"
	"errors"
	"time"

	"countersign/internal/blob"
	"countersign/internal/clinic"
)

// Release lifts a stop for an operator, who has had everything settled that may have been sent since `since`. The file
// outside is written first, over whatever it holds, with a generation above it: every other copy of this database, and
// every process that remembers more, stops instead. bucket may be nil.
func Release(ctx context.Context, c *clinic.Clinic, bucket *blob.Bucket, a clinic.Actor, since time.Time) (clinic.Instance, error) {
	var over *anchor
	if bucket != nil {
		reading, cancel := context.WithTimeout(ctx, bucketTime)
		defer cancel()
		var err error
		if over, err = readAnchor(reading, bucket); err != nil && !errors.Is(err, errUnreadable) {
			return clinic.Instance{}, err
		}
	}
	if over != nil {
		seen, err := c.InstanceSee(ctx)
		if err != nil {
			return seen, err
		}
		if seen.HeldAt != nil { // it only raises what the stop knows
			if err := c.InstanceHold(ctx, a, seen, seen.HeldReason, over.Generation); err != nil {
				return seen, err
			}
		}
	}
	if bucket == nil {
		return c.InstanceRelease(ctx, a, since, nil)
	}
	return c.InstanceRelease(ctx, a, since, func(ctx context.Context, now clinic.Instance) error {
		ctx, cancel := context.WithTimeout(ctx, bucketTime)
		defer cancel()
		return writeAnchor(ctx, bucket, now, over)
	})
}
