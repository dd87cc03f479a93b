package clinic

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// Instance is this installation as its database knows itself. A database that was restored knows an older one.
type Instance struct {
	Lineage    uuid.UUID  // a new one with each release
	Generation int64      // +1 with each beat
	Beat       uuid.UUID  // of this generation
	BeatAt     *time.Time // by the database's clock
	Anchored   bool       // the file outside the database has been seen
	Witnessed  int64      // while held: the highest generation that anybody showed
	HeldAt     *time.Time // not nil: nothing is sent
	HeldSince  *time.Time // what was sent after this may be missing here; nil: nobody knows
	HeldReason string     // a code
}

// Why sending was stopped.
const (
	HeldBehind  = "behind"      // somebody remembers a later generation than the database has
	HeldLineage = "lineage"     // the file outside the database is another installation's, or of another decision
	HeldFork    = "fork"        // two databases have made the same generation
	HeldMissing = "anchor_gone" // the file outside the database was there once, and is not
	HeldByHand  = "by_hand"
)

// unproved is the generation that a process asks of its database before it knows which one that is: none has it.
const unproved = math.MaxInt64

func instanceOf(i db.Instance) Instance {
	return Instance{Lineage: i.Lineage, Generation: i.Generation, Beat: i.Beat, BeatAt: i.BeatAt, Anchored: i.Anchored, Witnessed: i.Witnessed,
		HeldAt: i.HeldAt, HeldSince: i.HeldSince, HeldReason: i.HeldReason}
}

// InstanceSee reads the installation's row.
func (c *Clinic) InstanceSee(ctx context.Context) (Instance, error) {
	i, err := db.New(c.pool).InstanceGet(ctx)
	return instanceOf(i), err
}

// InstanceTrust lets this process send from a database that has at least this generation. From then on each claim asks
// for it, in its own transaction: a database that is exchanged beneath a running process sends nothing, not even before
// anybody has noticed.
func (c *Clinic) InstanceTrust(generation int64) { c.generation.Store(generation) }

// InstanceDoubt lets this process send nothing until InstanceTrust. A clinic that was opened Fenced begins like this.
func (c *Clinic) InstanceDoubt() { c.generation.Store(unproved) }

// InstanceBeat raises the generation of the installation that was seen, if the last beat is at least every ago. Of any
// number of processes that try, one is told true. Nobody beats while sending is stopped. anchored: the file outside was
// there. The time is the database's own, so that no worker's clock can silence the others.
func (c *Clinic) InstanceBeat(ctx context.Context, seen Instance, every time.Duration, anchored bool) (Instance, bool, error) {
	i, err := db.New(c.pool).InstanceBeat(ctx, db.InstanceBeatParams{Beat: newID(), Anchored: anchored, Lineage: seen.Lineage,
		Generation: seen.Generation, EverySeconds: every.Seconds()})
	if noRows(err) {
		return seen, false, nil
	}
	return instanceOf(i), err == nil, err
}

// InstanceHold stops all sending from this database until an operator lifts it. witnessed is the highest generation that
// the caller knows of; the next one will be above it. seen is what the caller judged: another one is not stopped. A second
// time only the higher witness counts. Whose clock is late does not matter: the stop is after the last beat, and after all
// that was there.
func (c *Clinic) InstanceHold(ctx context.Context, a Actor, seen Instance, reason string, witnessed int64) error {
	return c.do(ctx, a, InstanceHold, Subject{Kind: "instance", ID: seen.Lineage}, func(t *tx) error {
		t.silent = true
		if err := t.anyHome(ctx); err != nil {
			return err
		}
		n, err := t.Queries.InstanceHold(ctx, db.InstanceHoldParams{At: t.at, Reason: reason, Witnessed: witnessed, Lineage: seen.Lineage})
		if err != nil {
			return err
		}
		if n == 0 {
			return t.InstanceWitness(ctx, witnessed)
		}
		t.silent = false
		t.detail["reason"], t.detail["generation"], t.detail["witnessed"], t.detail["since"] = reason, seen.Generation, witnessed, seen.BeatAt
		t.names = append(t.names, "worklist-"+t.clinicID().String())
		return nil
	})
}

// anyHome is home, for deeds on the installation: they are on the record even before there is a clinic.
func (t *tx) anyHome(ctx context.Context) error {
	if err := t.home(ctx); err != nil && Code(err) != "no_clinic" {
		return err
	}
	return nil
}

// Stopped is what an operator reads before lifting a stop.
type Stopped struct {
	Instance
	Channels []StoppedChannel
	Settling []Settling
	Unknown  []Unreported
}

// StoppedChannel counts a channel's queued deliveries. Suspect ones were due before the stop or since, and may have been
// sent by whatever the database does not know of.
type StoppedChannel struct {
	Channel         string
	Suspect, Queued int
}

// Settling counts what was doubted since the stop, or was unknown before, by where it stands.
type Settling struct {
	Channel, State string
	Deliveries     int
}

// Unreported is a message that a provider reports of and this database does not know. There is no more of it than the
// provider's own id.
type Unreported struct {
	Provider, ProviderID string
	Reports              int
	LastAt               time.Time
}

// InstanceShow counts what lifting the stop is about. Whatever was sent before since is known here.
func (c *Clinic) InstanceShow(ctx context.Context, a Actor, since time.Time) (Stopped, error) {
	var out Stopped
	err := c.do(ctx, a, InstanceShow, Subject{Kind: "instance"}, func(t *tx) error {
		if err := t.anyHome(ctx); err != nil {
			return err
		}
		i, err := t.InstanceGet(ctx)
		if err != nil {
			return err
		}
		out.Instance, t.subject.ID = instanceOf(i), i.Lineage
		channels, err := t.DeliveriesSuspectCount(ctx, db.DeliveriesSuspectCountParams{Since: &since, At: t.at})
		if err != nil {
			return err
		}
		for _, r := range channels {
			out.Channels = append(out.Channels, StoppedChannel{Channel: r.Channel, Suspect: int(r.Suspect), Queued: int(r.Queued)})
		}
		settling, err := t.DeliveriesSettling(ctx)
		if err != nil {
			return err
		}
		for _, r := range settling {
			out.Settling = append(out.Settling, Settling{Channel: r.Channel, State: r.State, Deliveries: int(r.Deliveries)})
		}
		reports, err := t.EventsOfNobody(ctx, db.EventsOfNobodyParams{Since: since, RowLimit: unreportedMost})
		for _, r := range reports {
			out.Unknown = append(out.Unknown, Unreported{Provider: r.Provider, ProviderID: r.ProviderID, Reports: int(r.Reports), LastAt: r.LastAt})
		}
		return err
	})
	return out, err
}

// InstanceRelease lets sending begin again, under a new lineage and a generation above every one that was shown, so that
// whatever else still runs from before is the one that stops. anchor, if there is a place outside the database, writes it
// there before the stop is lifted: if that fails, or anything after it, sending stays stopped and this can be repeated. A
// delivery that may have been sent since `since` must have been settled or doubted first.
func (c *Clinic) InstanceRelease(ctx context.Context, a Actor, since time.Time, anchor func(context.Context, Instance) error) (Instance, error) {
	var out Instance
	err := c.do(ctx, a, InstanceRelease, Subject{Kind: "instance"}, func(t *tx) error {
		if err := t.anyHome(ctx); err != nil {
			return err
		}
		before, err := t.InstanceLock(ctx)
		if err != nil {
			return err
		}
		if before.HeldAt == nil {
			return refuse(Conflict, "not_held", "Sending is not stopped.")
		}
		rest, err := t.DeliveriesSuspect(ctx, db.DeliveriesSuspectParams{Since: &since, At: t.at, RowLimit: 1})
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return refuse(Conflict, "suspects", "There are deliveries that may have been sent and are still to be settled.")
		}
		now, err := t.InstanceRenew(ctx, db.InstanceRenewParams{Lineage: uuid.New(), Beat: newID(), Anchored: anchor != nil})
		if err != nil {
			return err
		}
		if anchor != nil {
			if err := anchor(ctx, instanceOf(now)); err != nil {
				return err
			}
		}
		t.subject.ID, out = now.Lineage, instanceOf(now)
		t.detail["reason"], t.detail["since"], t.detail["before"], t.detail["generation"] = before.HeldReason, since, before.Generation, now.Generation
		t.names = append(t.names, "worklist-"+t.clinicID().String())
		return t.Queries.InstanceRelease(ctx)
	})
	return out, err
}
