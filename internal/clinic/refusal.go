package clinic

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
)

// refused writes a refusal in a transaction of its own. If even that cannot be written, the caller is still refused. What nobody
// known was refused is an event once a minute for each address, deed and reason, and beyond that a number: whoever asks much does
// not fill the trail.
func (c *Clinic) refused(ctx context.Context, a Actor, d Deed, s Subject, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	e := a.event(d, s, c.now().UTC().Truncate(time.Microsecond), "refused", reason)
	var p db.AuditAppendParams
	err := e.appendTo(&p)
	if err == nil {
		err = pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
			q := db.New(tx)
			if e.ofStranger() {
				more, err := q.RefusalCount(ctx, db.RefusalCountParams{Minute: e.At.Truncate(time.Minute), Address: line64(e.IP), ActorKind: string(e.ActorKind), Deed: string(d), Reason: reason})
				if err != nil || more > 0 {
					return err
				}
			}
			return q.AuditAppend(ctx, p)
		})
	}
	if err != nil {
		slog.ErrorContext(ctx, "a refusal could not be written to the audit trail", "deed", string(d), "code", Code(err))
	}
}

// ofStranger says whether nothing is known of who it was, or of what it was about: then it says no more than its kind.
func (e event) ofStranger() bool {
	return (e.ActorKind == ActorNobody || e.ActorKind == ActorPatient) && e.ActorID == nil && e.SessionID == nil && e.SubjectID == nil && e.PatientID == nil &&
		e.ClinicID == uuid.Nil
}

// line64 is whose the address is: of IPv6 one line has all with the same first 64 bits.
func line64(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || !a.Is6() || a.Is4In6() {
		return ip
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// refusalsLate is how long after its minute a count is still added to: clocks of processes differ.
const refusalsLate = 30 * time.Second

// refusalsMost is how many counts become events in one transaction.
const refusalsMost = 500

// RefusalsClose puts on the trail how many refusals the counts of minutes that are over stand for, in the transaction that takes
// the counts away: each is counted once, whatever dies. It says how many events that were.
func (c *Clinic) RefusalsClose(ctx context.Context) (closed int, err error) {
	for taken := refusalsMost; taken == refusalsMost && err == nil; {
		err = pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
			q, at := db.New(tx), c.now().UTC().Truncate(time.Microsecond)
			counts, err := q.RefusalsTake(ctx, db.RefusalsTakeParams{Before: at.Add(-refusalsLate).Truncate(time.Minute), Most: refusalsMost})
			if err != nil {
				return err
			}
			taken = len(counts)
			var p db.AuditAppendParams
			for _, n := range counts {
				if n.More == 0 {
					continue
				}
				e := Actor{Kind: ActorKind(n.ActorKind), IP: n.Address}.event(Deed(n.Deed), Subject{}, at, "refused", n.Reason)
				e.Detail["more"], e.Detail["minute"] = n.More, n.Minute.UTC().Format(time.RFC3339)
				if err := e.appendTo(&p); err != nil {
					return err
				}
			}
			closed += len(p.Ids)
			if len(p.Ids) == 0 {
				return nil
			}
			faultpoint.Reach("refusals", "taken")
			return q.AuditAppend(ctx, p)
		})
	}
	return closed, err
}

// Refused puts a refusal on the trail that was decided outside a deed: a bad sign-in token, a forged webhook.
func (c *Clinic) Refused(ctx context.Context, a Actor, d Deed, reason string) {
	c.refused(ctx, a, d, Subject{}, reason)
}
