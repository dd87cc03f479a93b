package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/fence"
	"countersign/internal/worker"
)

// ErrNotHeld: sending is not stopped, so there is nothing to lift.
var ErrNotHeld = errors.New("sending is not stopped; --force stops it by hand first")

// WrongSince is a moment that cannot be meant, in a sentence.
type WrongSince string

// Error is the sentence.
func (w WrongSince) Error() string { return string(w) }

// Reconciling is what an operator wants of Reconcile.
type Reconciling struct {
	Since  time.Time // what was sent before is known to this database; zero: as the stop itself says
	Force  bool      // also when sending is not stopped, and with a moment after the one that the stop says
	DryRun bool      // only say what would be done
}

// At once: look-ups, and rows of one transaction.
const (
	askAtOnce     = 16
	restoreAtOnce = 200
	releaseTries  = 5
)

// reconciler lifts a stop. It may be run again after anything that went wrong.
type reconciler struct {
	cfg     *config.Config
	clinic  *clinic.Clinic
	bucket  *blob.Bucket
	senders map[string]clinic.Sender
	actor   clinic.Actor
	out     io.Writer
	want    Reconciling
	since   time.Time
}

// Reconcile settles what a restored database does not know to have been sent, and lets sending begin again. What it finds
// and does is said on out.
func Reconcile(ctx context.Context, cfg *config.Config, want Reconciling, out io.Writer) error {
	c, err := openStore(ctx, cfg, timesOf(cfg.Times))
	if err != nil {
		return err
	}
	defer c.Close()
	bucket, err := openBucket(ctx, cfg)
	if err != nil {
		return err
	}
	if bucket != nil {
		defer bucket.Close()
	}
	mail, text, err := openSenders(cfg)
	if err != nil {
		return err
	}
	defer mail.Close()
	defer text.Close()
	r := &reconciler{cfg: cfg, clinic: c, bucket: bucket, senders: map[string]clinic.Sender{"email": mail, "sms": text},
		actor: clinic.OperatorActor("operator"), out: out, want: want}
	return sayable(r.run(ctx))
}

func (r *reconciler) run(ctx context.Context) error {
	stop, err := r.stopped(ctx)
	if err != nil {
		return err
	}
	shown, err := r.clinic.InstanceShow(ctx, r.actor, r.since)
	if err != nil {
		return err
	}
	r.sayStop(stop, shown)
	if r.want.DryRun {
		r.sayUnknown(shown)
		r.say("Nothing was changed: this was a dry run.")
		return nil
	}
	for _, step := range []func(context.Context) error{r.restore, r.ask} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if shown, err = r.clinic.InstanceShow(ctx, r.actor, r.since); err != nil {
		return err
	}
	r.saySettling(shown)
	r.sayUnknown(shown)
	now, err := r.release(ctx)
	if err != nil {
		return fmt.Errorf("sending stays stopped; run this again: %w", sayable(err))
	}
	r.say("Sending is allowed again, from generation %d on.", now.Generation)
	return nil
}

// release lifts the stop, after what has come due in the meantime has been doubted too.
func (r *reconciler) release(ctx context.Context) (now clinic.Instance, err error) {
	for range releaseTries {
		if err = r.restore(ctx); err != nil {
			return now, err
		}
		now, err = fence.Release(ctx, r.clinic, r.bucket, r.actor, r.since)
		if clinic.Code(err) != "suspects" {
			return now, err
		}
	}
	return now, err
}

// stopped is the stop that there is, or by force one of now, and settles the moment since when something may be missing.
func (r *reconciler) stopped(ctx context.Context) (clinic.Instance, error) {
	i, err := r.clinic.InstanceSee(ctx)
	if err != nil {
		return i, err
	}
	if i.HeldAt == nil && !r.want.Force {
		return i, ErrNotHeld
	}
	r.since = r.want.Since
	switch {
	case r.since.IsZero() && i.HeldAt != nil && i.HeldSince != nil:
		r.since = *i.HeldSince
	case r.since.IsZero():
		return i, WrongSince("--since must say since when something may be missing: nobody else knows")
	case r.since.After(time.Now()):
		return i, WrongSince("--since is in the future")
	case i.HeldSince != nil && r.since.After(*i.HeldSince) && !r.want.Force:
		return i, WrongSince(fmt.Sprintf("--since is later than what this database last knew of itself, %s: what was sent in between would be sent again. Leave --since out, or add --force if you know better",
			i.HeldSince.UTC().Format(time.RFC3339)))
	}
	if i.HeldAt != nil || r.want.DryRun {
		return i, nil
	}
	if err := r.clinic.InstanceHold(ctx, r.actor, i, clinic.HeldByHand, i.Generation); err != nil {
		return i, err
	}
	return r.clinic.InstanceSee(ctx)
}

// restore doubts what may have been sent.
func (r *reconciler) restore(ctx context.Context) error {
	for {
		if n, err := r.clinic.DeliveryRestore(ctx, r.actor, r.since, restoreAtOnce); err != nil || n == 0 {
			return err
		}
	}
}

// ask looks up everything unknown, once. Workers are asking too: each row is given to one.
func (r *reconciler) ask(ctx context.Context) error {
	if _, err := r.clinic.DeliveryAsk(ctx, r.actor, r.since); err != nil {
		return err
	}
	asked := map[string]bool{}
	for {
		rows, err := r.clinic.DeliveryReconcile(ctx, r.actor, askAtOnce)
		if err != nil || len(rows) == 0 || asked[rows[0].DeliveryID.String()] {
			return err
		}
		failed := make([]error, len(rows))
		var all sync.WaitGroup
		for i, u := range rows {
			asked[u.DeliveryID.String()] = true
			all.Go(func() {
				found := worker.LookUp(ctx, r.senders[u.Channel], r.cfg.Times.ProviderTimeout, u)
				if failed[i] = ctx.Err(); failed[i] == nil {
					failed[i] = r.clinic.DeliverySettle(ctx, r.actor, u, found)
				}
			})
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
}

func (r *reconciler) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// heldWords are the reasons of a stop.
var heldWords = map[string]string{
	clinic.HeldBehind:  "the database is behind what BLOB_URL or a running process has seen of it",
	clinic.HeldLineage: "BLOB_URL belongs to another database, or to another copy of this one",
	clinic.HeldFork:    "there are two databases that go on from the same moment",
	clinic.HeldMissing: "the file in BLOB_URL was there before, and is gone",
	clinic.HeldByHand:  "by hand",

	clinic.HeldRestored: "the database was restored from a backup",
}

func (r *reconciler) sayStop(i clinic.Instance, shown clinic.Stopped) {
	if i.HeldAt == nil {
		r.say("Sending is not stopped; with --force it would be, now.")
	} else {
		r.say("Sending is stopped since %s: %s.", i.HeldAt.UTC().Format(time.RFC3339), heldWords[i.HeldReason])
	}
	r.say("The database is at generation %d; %d has been seen. What was sent after %s may be missing here.\n", i.Generation, max(i.Generation, i.Witnessed), r.since.UTC().Format(time.RFC3339))
	t := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "queued\tmay have been sent\twill be sent")
	for _, c := range shown.Channels {
		fmt.Fprintf(t, "%s\t%d\t%d\n", c.Channel, c.Suspect, c.Queued-c.Suspect)
	}
	_ = t.Flush()
	r.say("")
}

func (r *reconciler) saySettling(shown clinic.Stopped) {
	t := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what may have been sent\tis now\tdeliveries")
	for _, s := range shown.Settling {
		fmt.Fprintf(t, "%s\t%s\t%d\n", s.Channel, s.State, s.Deliveries)
	}
	_ = t.Flush()
	r.say("Those that are unknown are looked up again by the workers, and come to a person after %s.\n", r.cfg.Times.LookupGrace)
}

func (r *reconciler) sayUnknown(shown clinic.Stopped) {
	if len(shown.Unknown) == 0 {
		return
	}
	reports := 0
	for _, u := range shown.Unknown {
		reports += u.Reports
	}
	r.say("%d reports speak of notices that this database does not know; their patients hold a link to a message that is gone.", reports)
	for _, u := range shown.Unknown {
		r.say("  %s  %s  %s", u.LastAt.UTC().Format(time.RFC3339), u.Provider, u.ProviderID)
	}
	r.say("Later reports of this kind are counted by the query in docs/OPERATIONS.md.\n")
}
