package clinic

import (
	"context"
	"crypto/tls"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/db"
	"countersign/internal/seal"
)

// unseenDays is how long somebody may have a role without signing in.
const unseenDays = 90

// Guards is what the database shows of how the installation is guarded.
type Guards struct {
	Encrypted   bool  // our connection to it
	MayRewrite  bool  // our role may change or delete audit events
	KeysMissing int64 // patients whose key our keyset does not open
	Unseen      int   // people with a role who have not signed in for unseenDays
	SignFresh   SignFresh
}

// SecurityShow looks at the guards, for the score that an administrator sees.
func (c *Clinic) SecurityShow(ctx context.Context, a Actor) (g Guards, err error) {
	encrypted, err := c.encrypted(ctx)
	if err != nil {
		return g, err
	}
	err = c.do(ctx, a, SecurityShow, Subject{Kind: "clinic", ID: a.ClinicID}, func(t *tx) error {
		if g, err = c.guards(ctx, t.Queries, t.clinicID(), encrypted); err == nil {
			g.SignFresh, err = t.signFresh(ctx)
		}
		return err
	})
	return g, err
}

// encrypted says whether a connection of ours to the database is.
func (c *Clinic) encrypted(ctx context.Context) (is bool, err error) {
	err = c.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		_, is = conn.Conn().PgConn().Conn().(*tls.Conn)
		return nil
	})
	return is, err
}

func (c *Clinic) guards(ctx context.Context, q *db.Queries, clinic uuid.UUID, encrypted bool) (Guards, error) {
	seen, err := q.GuardsSee(ctx, db.GuardsSeeParams{ClinicID: clinic, Since: c.now().UTC().AddDate(0, 0, -unseenDays)})
	if err != nil {
		return Guards{}, err
	}
	g := Guards{Encrypted: encrypted, MayRewrite: seen.MayRewrite, Unseen: int(seen.Unseen)}
	keys, err := q.PatientKeysCount(ctx)
	for _, k := range keys {
		if !c.keys.Holds(seal.WrappedBy(k.Head)) {
			g.KeysMissing += k.N
		}
	}
	return g, err
}
