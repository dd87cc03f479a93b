package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	countersign "countersign"
	"countersign/internal/backup"
	"countersign/internal/clinic"
	"countersign/internal/config"
)

// Restoring is what an operator wants of Restore.
type Restoring struct {
	Name     string // the backup; empty: the newest
	Into     string // the owner's address of an empty database
	Identity string // the file with the backup key
	Trial    bool   // only to see that it can be restored: nothing is recorded
	Force    bool   // also with a KEYSET that lacks keys
}

// Restore restores a backup into an empty database, verifies it, and leaves it with sending stopped. The database is
// stopped from before its first row: a process that is started too early sends nothing either.
func (b *Backups) Restore(ctx context.Context, want Restoring) error {
	if err := b.cfg.CheckInto(want.Into); err != nil {
		return err
	}
	m, err := b.store.Read(ctx, want.Name)
	if err != nil {
		return err
	}
	if err := b.trusted(m); err != nil && !(want.Force && errors.Is(err, ErrBackupKeys)) {
		return err
	}
	if m.Schema > clinic.SchemaVersion {
		return fmt.Errorf("the backup has schema %d, and this countersign knows %d: use the version that made it, or a later one", m.Schema, clinic.SchemaVersion)
	}
	conn, err := pgx.Connect(ctx, want.Into)
	if err != nil {
		return errors.New("--into names no database that can be reached")
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := nothingIn(ctx, conn); err != nil {
		return err
	}
	if err := b.whole(ctx, m, want.Identity); err != nil {
		return err
	}
	if err := b.fill(ctx, m, want, conn); err != nil {
		return fmt.Errorf("the restore broke off, and what is in the database is to be thrown away: %w", err)
	}
	if err := b.checkRestored(ctx, m, want.Into); err != nil {
		return err
	}
	return b.restored(ctx, m, want)
}

// nothingIn refuses a database that has anything of anybody's in it.
func nothingIn(ctx context.Context, conn *pgx.Conn) error {
	var relations int
	err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
		  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`).Scan(&relations)
	if err != nil {
		return errors.New("the database of --into cannot be read")
	}
	if relations > 0 {
		return errors.New("the database of --into is not empty, and a restore writes over nothing: make a new one")
	}
	return nil
}

// fill restores the tables, stops sending, and then restores the rows and what holds them together.
func (b *Backups) fill(ctx context.Context, m *backup.Manifest, want Restoring, conn *pgx.Conn) error {
	var server int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&server); err != nil {
		return errors.New("the database of --into cannot be read")
	}
	if server < m.Postgres {
		return fmt.Errorf("the backup is of Postgres %d, and --into is an older one, %d", m.Postgres, server)
	}
	programs, err := backup.Find(ctx, b.cfg.PGBin, m.Program)
	if err != nil {
		return err
	}
	keys, err := backup.Identities(want.Identity)
	if err != nil {
		return err
	}
	var contents string
	head := func(read func(context.Context, io.Reader) error) error {
		return b.store.ReadArchive(ctx, m, keys, false, read)
	}
	if err := head(func(ctx context.Context, from io.Reader) (err error) {
		contents, err = programs.Contents(ctx, from)
		return err
	}); err != nil {
		return err
	}
	list, _, err := withoutInstance(contents)
	if err != nil {
		return err
	}
	if err := head(func(ctx context.Context, from io.Reader) error { return programs.Shape(ctx, want.Into, from) }); err != nil {
		return err
	}
	if err := stopped(ctx, conn, m); err != nil {
		return err
	}
	err = b.store.ReadArchive(ctx, m, keys, true, func(ctx context.Context, from io.Reader) error { return programs.Fill(ctx, want.Into, list, from) })
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "ANALYZE")
	return err
}

// stopped writes the installation's row as the backup has it, and that nothing may be sent.
func stopped(ctx context.Context, conn *pgx.Conn, m *backup.Manifest) error {
	i := m.Instance
	_, err := conn.Exec(ctx, `INSERT INTO instance (lineage, generation, beat, beat_at, anchored, witnessed, held_at, held_since, held_reason)
		VALUES ($1, $2, $3, $4::timestamptz, $5, $2, greatest(now(), $4::timestamptz + interval '1 microsecond'), coalesce($4::timestamptz, $6::timestamptz), $7)`,
		i.Lineage, i.Generation, i.Beat, i.BeatAt, i.Anchored, m.TakenAt, clinic.HeldRestored)
	if err != nil {
		return fmt.Errorf("sending cannot be stopped there: %w", err)
	}
	return nil
}

// restored brings the schema to this version, puts the restore on the restored trail, and says what is next.
func (b *Backups) restored(ctx context.Context, m *backup.Manifest, want Restoring) error {
	if want.Trial {
		b.say("It can be restored. The copy holds everything that the clinic's database does: throw it away.")
		return nil
	}
	there := *b.cfg
	there.DatabaseURL, there.MigrateDatabaseURL = config.Secret(want.Into), config.Secret(want.Into)
	if err := migrateFrom(ctx, &there, countersign.Migrations(), io.Discard); err != nil {
		return err
	}
	c, err := openStore(ctx, &there, clinic.Times{})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.BackupRestore(ctx, clinic.OperatorActor("operator"), clinic.Backup{ID: m.ID, Name: m.Name, TakenAt: m.TakenAt}); err != nil {
		return sayable(err)
	}
	b.say(`
Restored as of %[1]s, with sending stopped. Next:
  1. Make sure that no process runs on the old database.
  2. Set MIGRATE_DATABASE_URL and DATABASE_URL to this one, and run: countersign migrate
  3. Start web and worker. People can work; nothing is sent.
  4. countersign reconcile --dry-run, and then: countersign reconcile
What was done after %[1]s is not here; docs/OPERATIONS.md says what to tell the clinic.`, m.TakenAt.UTC().Format("2006-01-02T15:04:05Z"))
	return nil
}
