package clinic

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// archives are the months that a verification looks for outside.
type archives struct {
	mu    sync.Mutex
	files map[string]string // by month
	read  map[string]bool   // whole
}

func monthOf(at time.Time) string { return at.UTC().Format("2006-01") }

func newArchives(rows []db.LedgerArchive) *archives {
	a := &archives{files: map[string]string{}, read: map[string]bool{}}
	for _, r := range rows {
		a.files[monthOf(r.Month.Time)] = r.File
	}
	return a
}

// byHash says whether an event of that time may be in an archive that nobody has read: then its leaf is all there is of it.
func (a *archives) byHash(at time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	month := monthOf(at)
	return a.files[month] != "" && !a.read[month]
}

// readArchives gives the events of all archives to join. A file that cannot be read is a finding, and its events are left to
// their leaves' hashes.
func (v *verifier) readArchives(ctx context.Context, rows []db.LedgerArchive, join *leafAndEvent) error {
	if v.Archives == nil {
		return nil
	}
	for _, r := range rows {
		batch := make([]seenEvent, 0, readBatch)
		var stopped error
		flush := func() error {
			v.out.Archived += int64(len(batch))
			stopped = join.addEvents(batch)
			batch = batch[:0]
			return stopped
		}
		month, last := monthOf(r.Month.Time), int64(-1)
		err := readArchive(ctx, v.Archives, r.File, archiveHeader+month, func(l archivedLine) error {
			k, ok := l.key()
			if !ok {
				v.find("event_unreadable", nil, l.leaf, l.leaf+1, "the event of leaf %d in the archive %s has no id or no time", l.leaf, r.File)
				return nil
			}
			if l.leaf <= last { // they were written in the order of their leaves
				v.find("event_doubled", &k.id, l.leaf, l.leaf+1, "event %s of leaf %d comes a second time, or too late, in the archive %s", k.id, l.leaf, r.File)
				return nil
			}
			last = l.leaf
			batch = append(batch, seenEvent{eventKey: k, hash: ledger.LeafHash(l.rec)})
			if len(batch) < readBatch {
				return nil
			}
			return flush()
		})
		if err == nil {
			err = flush()
		}
		if stopped != nil {
			return stopped
		}
		if err != nil {
			v.find("archive_gone", nil, r.FirstLeaf, r.LastLeaf+1, "the archive %s, with events of leaves %d to %d, cannot be read to its end: their hashes are all that could be verified", r.File, r.FirstLeaf, r.LastLeaf)
			continue
		}
		v.archives.mu.Lock()
		v.archives.read[month] = true
		v.archives.mu.Unlock()
	}
	return nil
}

// archivedBytes finds an event's bytes in the archive of its month; nil: there is none.
func archivedBytes(ctx context.Context, rows []db.LedgerArchive, event uuid.UUID, at time.Time, places []ArchivePlace) (rec []byte, err error) {
	file := newArchives(rows).files[monthOf(at)]
	if file == "" {
		return nil, nil
	}
	if len(places) == 0 || places[0] == nil {
		return nil, refuse(NotFound, "archived", "This event is in the archive "+file+": give the place where it lies.")
	}
	err = readArchive(ctx, places[0], file, archiveHeader+monthOf(at), func(l archivedLine) error {
		if k, ok := l.key(); ok && k.id == event {
			rec = append([]byte{}, l.rec...)
		}
		return nil
	})
	return rec, err
}
