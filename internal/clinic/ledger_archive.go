package clinic

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
	"countersign/internal/ledger"
)

// ArchivePlace is the place outside the database that months of the trail are taken to. Create makes a whole file when it is
// closed, and never writes over one.
type ArchivePlace interface {
	Create(ctx context.Context, name string) (io.WriteCloser, error)
	Exists(ctx context.Context, name string) (bool, error)
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Archived is a month of the trail that is no longer in the database.
type Archived struct {
	Month  string `json:"month"`
	File   string `json:"file"`
	Events int64  `json:"events"`
	First  int64  `json:"first_leaf"`
	Last   int64  `json:"last_leaf"`
}

// archiveHeader is the first line of an archive, before its month. Then comes a line an event, in the order of the leaves: the
// leaf's number, and the event's canonical bytes. All of it is gzip.
const archiveHeader = "countersign audit archive v1 "

// AuditArchive takes a whole month of the trail to a place outside: writes it, reads back what was written, and only when that is,
// to the last byte, what the ledger has sealed, takes the month's table away, in the transaction that says so on the trail. A
// month is refused that is not over, is not sealed to its last event, or has leaves from anchored on. After a crash at any line
// the month is in the database, or its archive is whole and in the ledger's list: to begin again harms nothing. It takes the
// database's owner.
func (c *Clinic) AuditArchive(ctx context.Context, a Actor, month time.Time, anchored int64, place ArchivePlace) (done Archived, err error) {
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	err = c.do(ctx, a, AuditArchive, Subject{Kind: "audit"}, func(t *tx) error {
		if !month.AddDate(0, 1, 1).Before(t.at) {
			return refuse(Conflict, "not_over", "This month is not over.")
		}
		if err := t.LedgerArchiveLock(ctx); err != nil {
			return err
		}
		m := archivedMonth{c: c, place: place, table: "audit_events_" + month.Format("2006_01"), name: "archive/audit-" + month.Format("2006-01") + ".gz", header: archiveHeader + month.Format("2006-01")}
		if err := m.take(ctx, anchored); err != nil {
			return err
		}
		faultpoint.Reach("archive", "read-back")
		done = Archived{month.Format("2006-01"), m.name, m.events, m.first, m.last}
		t.detail["month"], t.detail["events"], t.detail["first_leaf"], t.detail["last_leaf"] = month.Format("2006-01"), m.events, m.first, m.last
		return t.dropMonth(ctx, &m, month)
	})
	return done, err
}

// LedgerMonths are the months before a given one that the trail has tables of their own for, the oldest first.
func (c *Clinic) LedgerMonths(ctx context.Context, before time.Time) (months []time.Time, err error) {
	rows, err := c.pool.Query(ctx, `SELECT relid::regclass::text FROM pg_partition_tree('audit_events') WHERE isleaf AND relid::regclass::text ~ '^audit_events_\d{4}_\d{2}$' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		month, err := time.Parse("audit_events_2006_01", table)
		if err == nil && monthOf(month) < monthOf(before) {
			months = append(months, month)
		}
	}
	return months, rows.Err()
}

// dropMonth takes the table away, unless something has come into it since it was written out.
func (t *tx) dropMonth(ctx context.Context, m *archivedMonth, month time.Time) error {
	if _, err := t.line.tx.Exec(ctx, "ALTER TABLE audit_events DETACH PARTITION "+m.table); err != nil {
		return err
	}
	faultpoint.Reach("archive", "detached")
	var n int64
	if err := t.line.tx.QueryRow(ctx, "SELECT count(*) FROM "+m.table).Scan(&n); err != nil {
		return err
	}
	if n != m.events {
		return refuse(Conflict, "moved", "Events have come into this month meanwhile. Begin again.")
	}
	if err := t.LedgerArchiveAdd(ctx, db.LedgerArchiveAddParams{Month: pgtype.Date{Time: month, Valid: true}, File: m.name, Events: m.events, FirstLeaf: m.first, LastLeaf: m.last, ArchivedAt: t.at}); err != nil {
		return err
	}
	faultpoint.Reach("archive", "listed")
	_, err := t.line.tx.Exec(ctx, "DROP TABLE "+m.table)
	return err
}

// archivedMonth is a month on its way out.
type archivedMonth struct {
	c                   *Clinic
	place               ArchivePlace
	table, name, header string
	events, first, last int64
	sum                 ledger.Hash // over all leaves' numbers and hashes
}

var errNotSealed = refuse(Conflict, "not_sealed", "An event of this month is not sealed, or not what was sealed. Run countersign audit verify.")

// take writes the month out, unless a try of before has, and reads it back.
func (m *archivedMonth) take(ctx context.Context, anchored int64) error {
	there, err := m.place.Exists(ctx, m.name)
	if err != nil {
		return err
	}
	write := io.WriteCloser(nothing{})
	if !there {
		if write, err = m.place.Create(ctx, m.name); err != nil {
			return err
		}
	}
	zip := gzip.NewWriter(write)
	_, err = fmt.Fprintln(zip, m.header)
	if err == nil {
		err = m.export(ctx, zip)
	}
	switch {
	case err != nil:
	case m.events == 0:
		err = refuse(NotFound, "no_events", "There are no events of this month in a table of its own.")
	case m.last >= anchored:
		err = refuse(Conflict, "not_anchored", "This month is not under an anchor to its last event.")
	}
	if err != nil {
		if abort, ok := write.(interface{ Abort() }); ok {
			abort.Abort()
		}
		return err
	}
	faultpoint.Reach("archive", "exported")
	if err := errors.Join(zip.Close(), write.Close()); err != nil {
		return err
	}
	faultpoint.Reach("archive", "written")
	return m.readBack(ctx)
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }
func (nothing) Close() error                { return nil }

// export writes the month's events in the order of their leaves, each held to its leaf.
func (m *archivedMonth) export(ctx context.Context, out io.Writer) error {
	conn, err := m.c.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", m.table).Scan(&there); err != nil || !there {
		return err
	}
	sum := sha256.New()
	var prefixed []byte
	err = stream(ctx, conn.Conn(), "SELECT l.leaf, l.hashes, e.rec FROM "+m.table+" e LEFT JOIN ledger_leaves l ON l.event_id = e.id AND l.at = e.at ORDER BY l.leaf", func(row [][]byte) error {
		leaf := rawInt(row[0])
		prefixed = append(append(prefixed[:0], 0), row[2]...)
		hash := ledger.PrefixedLeafHash(prefixed)
		if leaf < 0 || len(row[1]) < ledger.HashSize || !bytes.Equal(row[1][:ledger.HashSize], hash[:]) || bytes.IndexByte(row[2], '\n') >= 0 {
			return errNotSealed
		}
		if m.events == 0 {
			m.first = leaf
		}
		m.events, m.last = m.events+1, leaf
		fmt.Fprintf(sum, "%d %s\n", leaf, hash)
		_, err := fmt.Fprintf(out, "%d %s\n", leaf, row[2])
		return err
	})
	sum.Sum(m.sum[:0])
	if err != nil {
		_ = conn.Conn().Close(context.WithoutCancel(ctx)) // it may have been left in the middle of an answer
	}
	return err
}

// readBack reads what lies outside now, and believes nothing else.
func (m *archivedMonth) readBack(ctx context.Context) error {
	sum, n := sha256.New(), int64(0)
	err := readArchive(ctx, m.place, m.name, m.header, func(l archivedLine) error {
		n++
		fmt.Fprintf(sum, "%d %s\n", l.leaf, ledger.LeafHash(l.rec))
		return nil
	})
	var got ledger.Hash
	sum.Sum(got[:0])
	if err != nil || n != m.events || got != m.sum {
		return errors.Join(refuse(Conflict, "archive_differs", "The file "+m.name+" in BLOB_URL is not this month, or not all of it any more. Nothing was taken away. Look at it, move it elsewhere, and begin again."), err)
	}
	return nil
}

// archivedLine is an event of an archive.
type archivedLine struct {
	leaf int64
	rec  []byte
}

// mostLine is how long a line of an archive may be.
const mostLine = 1 << 20

var errArchive = errors.New("this is no archive of that month, or only a part of one")

// readArchive reads an archive from its first line to its last. do may keep nothing.
func readArchive(ctx context.Context, place ArchivePlace, name, header string, do func(archivedLine) error) error {
	file, err := place.Open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return errArchive
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(make([]byte, 64<<10), mostLine)
	if !lines.Scan() || lines.Text() != header {
		return errArchive
	}
	for lines.Scan() {
		number, rec, ok := bytes.Cut(lines.Bytes(), []byte(" "))
		leaf, err := strconv.ParseInt(string(number), 10, 64)
		if !ok || err != nil {
			return errArchive
		}
		if err := do(archivedLine{leaf, rec}); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return errArchive
	}
	return nil
}

// key is what the bytes say of themselves: an archive has no columns.
func (l archivedLine) key() (k eventKey, ok bool) {
	rest, ok := bytes.CutPrefix(l.rec, []byte(`{"v":1,"id":"`))
	if !ok || len(rest) < 36 {
		return k, false
	}
	id, err := uuid.ParseBytes(rest[:36])
	if err != nil {
		return k, false
	}
	rest, ok = bytes.CutPrefix(rest[36:], []byte(`","at":"`))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return k, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(rest[:end]))
	return eventKey{id, at.UnixMicro() - pgEpoch}, err == nil
}
