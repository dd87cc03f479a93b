package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
)

// HeldRestored: the database was restored from a backup, and has not sent since.
const HeldRestored = "restored"

// BackupFacts is what a database says of itself at the moment of a snapshot.
type BackupFacts struct {
	Snapshot string // for others to read the same moment, as long as it is held
	At       time.Time
	Server   int // Postgres' major version
	Schema   int
	Instance Instance
	Ledger   LedgerFacts
	Keys     []KeyCount
}

// LedgerFacts is how far the audit trail is.
type LedgerFacts struct {
	Events, Leaves int64
	Note           string // the last signed checkpoint; empty: nothing is sealed
}

// BackupSnapshot holds one moment of the database while fn runs, and tells fn what is true in it. It changes nothing: that
// a backup was made is BackupCreate's to record.
func (c *Clinic) BackupSnapshot(ctx context.Context, fn func(context.Context, BackupFacts) error) error {
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, c.pool, moment, func(tx pgx.Tx) error {
		facts, err := backupFacts(ctx, tx)
		if err != nil {
			return err
		}
		return fn(ctx, facts)
	})
}

func backupFacts(ctx context.Context, tx pgx.Tx) (f BackupFacts, err error) {
	// However long the moment is held: a server that ends idle transactions would end it.
	if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return f, err
	}
	var number int
	err = tx.QueryRow(ctx, "SELECT pg_export_snapshot(), now(), current_setting('server_version_num')::int, (SELECT version FROM schema_migrations WHERE NOT dirty)").
		Scan(&f.Snapshot, &f.At, &number, &f.Schema)
	if err != nil {
		return f, err
	}
	f.At, f.Server = f.At.UTC(), number/10000
	q := db.New(tx)
	instance, err := q.InstanceGet(ctx)
	if err != nil {
		return f, err
	}
	f.Instance = instanceOf(instance)
	counts, err := q.BackupCounts(ctx)
	if err != nil {
		return f, err
	}
	f.Ledger = LedgerFacts{Events: counts.Events, Leaves: counts.Leaves}
	head, err := q.LedgerHead(ctx)
	if err != nil && !noRows(err) {
		return f, err
	}
	f.Ledger.Note = head.Note
	f.Keys, err = keyCounts(ctx, q)
	return f, err
}

// Backup is a backup that is whole.
type Backup struct {
	ID      uuid.UUID
	Name    string
	TakenAt time.Time
	Bytes   int64
	SHA256  []byte
}

// BackupCreate records that a backup was made. publish makes it one, before the record is committed: if that fails there
// is neither.
func (c *Clinic) BackupCreate(ctx context.Context, a Actor, b Backup, publish func(context.Context) error) error {
	return c.do(ctx, a, BackupCreate, Subject{Kind: "backup", ID: b.ID}, func(t *tx) error {
		if err := t.anyHome(ctx); err != nil {
			return err
		}
		t.detail["name"], t.detail["taken_at"], t.detail["bytes"] = b.Name, b.TakenAt, b.Bytes
		err := t.Queries.BackupCreate(ctx, db.BackupCreateParams{ID: b.ID, Name: b.Name, TakenAt: b.TakenAt, MadeAt: t.at, Bytes: b.Bytes, Sha256: b.SHA256})
		if err != nil {
			return err
		}
		return publish(ctx)
	})
}

// BackupRestore records, in the restored database, what it was restored from. Sending is stopped there already, by the
// very row that a restore begins with: where it is not, that is no restored database.
func (c *Clinic) BackupRestore(ctx context.Context, a Actor, b Backup) error {
	return c.do(ctx, a, BackupRestore, Subject{Kind: "backup", ID: b.ID}, func(t *tx) error {
		if err := t.anyHome(ctx); err != nil {
			return err
		}
		i, err := t.InstanceGet(ctx)
		if err != nil {
			return err
		}
		if i.HeldAt == nil {
			return refuse(Conflict, "not_held", "Sending is not stopped here, so this is no database that was just restored.")
		}
		t.detail["name"], t.detail["taken_at"], t.detail["generation"] = b.Name, b.TakenAt, i.Generation
		return nil
	})
}

// BackupLast is the moment that the newest backup is of; zero when there is none.
func (c *Clinic) BackupLast(ctx context.Context) (time.Time, error) {
	at, err := db.New(c.pool).BackupLast(ctx)
	if noRows(err) {
		return time.Time{}, nil
	}
	return at, err
}
