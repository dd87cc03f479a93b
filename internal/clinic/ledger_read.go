package clinic

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"countersign/internal/ledger"
)

// ledgerReader is the connections of one verification, all of which see the database as it is at one moment. They are its own and
// not the pool's: a verification takes long, and the deeds beside it need theirs.
type ledgerReader struct {
	head   *pgx.Conn // whose moment it is; reads the checkpoints
	leaves *pgx.Conn
	ask    *pgx.Conn   // what did not come by in time is looked up on it
	events []*pgx.Conn // as many as there are processors to go round
	all    []*pgx.Conn
}

// readAhead is how the tables are read: each from its beginning, in the order in which it lies there.
const readAhead = "SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0; SET enable_sort = off; SET enable_bitmapscan = off; SET jit = off"

// openReader opens them, none of which may write.
func (c *Clinic) openReader(ctx context.Context) (r *ledgerReader, err error) {
	r = &ledgerReader{events: make([]*pgx.Conn, max(1, min(4, runtime.GOMAXPROCS(0)/2)))}
	places := []**pgx.Conn{&r.head, &r.leaves, &r.ask}
	for i := range r.events {
		places = append(places, &r.events[i])
	}
	var moment string
	for i, place := range places {
		settings := c.pool.Config()
		settings.ConnConfig.BuildFrontend = longReads
		conn, err := pgx.ConnectConfig(ctx, settings.ConnConfig)
		if err != nil {
			r.close(ctx)
			return nil, err
		}
		*place, r.all = conn, append(r.all, conn)
		err = settings.AfterConnect(ctx, conn)
		for _, sql := range []string{readAhead, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"} {
			if err == nil {
				_, err = conn.Exec(ctx, sql)
			}
		}
		switch {
		case err != nil:
		case i == 0:
			err = conn.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&moment)
		default:
			_, err = conn.Exec(ctx, fmt.Sprintf("SET TRANSACTION SNAPSHOT '%s'", moment))
		}
		if err != nil {
			r.close(ctx)
			return nil, err
		}
	}
	return r, nil
}

// readSize is how much is taken from a socket at a time: Postgres writes 8 KiB, and several lie there by then.
const readSize = 64 << 10

func longReads(r io.Reader, w io.Writer) *pgproto3.Frontend {
	return pgproto3.NewFrontend(bufio.NewReaderSize(r, readSize), w)
}

func (r *ledgerReader) close(ctx context.Context) {
	for _, conn := range r.all {
		_ = conn.Close(context.WithoutCancel(ctx))
	}
}

// stream reads rows as Postgres sends them, in the binary form; do may keep nothing of them.
func stream(ctx context.Context, conn *pgx.Conn, sql string, do func(row [][]byte) error) error {
	rows := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, []int16{pgx.BinaryFormatCode})
	for rows.NextRow() {
		if err := do(rows.Values()); err != nil {
			return err // what is left is not read: the connection is of no more use, and is closed with the others
		}
	}
	_, err := rows.Close()
	return err
}

// part is a piece of one of the trail's tables. Before 0: up to its end.
type part struct {
	table        string
	from, before int64
}

// partBlocks is how much of a table one connection reads at a time: the parts of the trail come by in nearly its own order.
const partBlocks = 2048

func (p part) sql() string {
	sql := eventSelect + "ONLY " + p.table
	switch {
	case p.before > 0:
		sql += fmt.Sprintf(" WHERE ctid >= '(%d,0)' AND ctid < '(%d,0)'", p.from, p.before)
	case p.from > 0:
		sql += fmt.Sprintf(" WHERE ctid >= '(%d,0)'", p.from)
	}
	return sql
}

// parts are the whole trail: its months in their order, and what lies in none.
func (r *ledgerReader) parts(ctx context.Context) (all []part, err error) {
	rows, err := r.ask.Query(ctx, `SELECT relid::regclass::text, pg_relation_size(relid) / current_setting('block_size')::bigint
		FROM pg_partition_tree('audit_events') WHERE isleaf ORDER BY relid::regclass::text`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p := part{}
		var blocks int64
		if err := rows.Scan(&p.table, &blocks); err != nil {
			return nil, err
		}
		for p.from = 0; p.from+partBlocks < blocks; p.from += partBlocks {
			p.before = p.from + partBlocks
			all = append(all, p)
		}
		p.before = 0
		all = append(all, p)
	}
	return all, rows.Err()
}

// eachEvent reads the whole trail on all connections at once; what it makes of it, it gives to do in batches. unreadable is a row
// without an id or a time.
func (r *ledgerReader) eachEvent(ctx context.Context, do func([]seenEvent) error, unreadable func(table string)) error {
	todo, err := r.parts(ctx)
	if err != nil {
		return err
	}
	next := make(chan part, len(todo))
	for _, s := range todo {
		next <- s
	}
	close(next)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for _, conn := range r.events {
		all.Go(func() {
			for s := range next {
				if err := s.read(ctx, conn, do, unreadable); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// readBatch is how many rows are handed on at a time.
const readBatch = 512

func (p part) read(ctx context.Context, conn *pgx.Conn, do func([]seenEvent) error, unreadable func(table string)) error {
	var scratch []byte
	batch := make([]seenEvent, 0, readBatch)
	err := stream(ctx, conn, p.sql(), func(row [][]byte) error {
		e, again, ok := rawEvent(row).look(scratch)
		scratch = again
		if !ok {
			unreadable(p.table)
			return nil
		}
		if batch = append(batch, e); len(batch) < readBatch {
			return nil
		}
		err := do(batch)
		batch = batch[:0]
		return err
	})
	if err == nil {
		err = do(batch)
	}
	return err
}

// leafRow is a row of the ledger, as it is: any of it may have been changed.
type leafRow struct {
	leaf   int64
	event  eventKey
	hashes []byte
	whole  bool // it has a number, an event and a time
}

func (r *ledgerReader) eachLeaf(ctx context.Context, do func(leafRow) error) error {
	return stream(ctx, r.leaves, "SELECT leaf, event_id, at, hashes FROM ledger_leaves ORDER BY leaf", func(row [][]byte) error {
		l := leafRow{leaf: rawInt(row[0]), hashes: row[3]}
		var ok bool
		l.event, ok = rawEvent{row[1], row[2]}.key()
		l.whole = ok && row[0] != nil
		return do(l)
	})
}

// rawInt is a bigint; NULL is -1.
func rawInt(raw []byte) int64 {
	if len(raw) != 8 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(raw))
}

// checkpointRow is a row of the signed roots, with what was signed.
type checkpointRow struct {
	size, at int64
	note     string
	signed   Checkpoint
	err      error
}

// eachCheckpoint reads the checkpoints ahead of the leaves, and verifies their signatures on all processors.
func (r *ledgerReader) eachCheckpoint(ctx context.Context, known ledger.Verifiers, do func([]checkpointRow) error) error {
	var batch []checkpointRow
	flush := func() error {
		var all sync.WaitGroup
		for part := range slices.Chunk(batch, max(1, len(batch)/runtime.GOMAXPROCS(0)+1)) {
			all.Go(func() {
				for i := range part {
					part[i].signed, part[i].err = known.Read(part[i].note)
				}
			})
		}
		all.Wait()
		done := batch
		batch = nil
		return do(done)
	}
	err := stream(ctx, r.head, "SELECT size, sealed_at, note FROM ledger_checkpoints ORDER BY size", func(row [][]byte) error {
		batch = append(batch, checkpointRow{size: rawInt(row[0]), at: rawInt(row[1]), note: string(row[2])})
		if len(batch) < readBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return err
}
