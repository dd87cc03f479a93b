package chaos

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Planted is what no place outside the sealed columns may hold: what is known of the patients, what was written to them,
// and the secrets of their pages.
type Planted struct {
	Marks  []mark
	Tokens map[string]bool
}

type mark struct{ kind, text string } // text in lower case

// Sink is a place that was looked through.
type Sink struct {
	Name  string
	Bytes int
	Found []string // kinds of what was planted; the text itself would be found here the next time
}

// planted are the marks of the scene, as they are and in the hexadecimal digits of a bytea, and the tokens of all
// notices that were sent.
func (sc *scene) planted(accepted []Accepted) Planted {
	p := Planted{Tokens: map[string]bool{}}
	add := func(kind, text string) {
		p.Marks = append(p.Marks, mark{kind, strings.ToLower(text)}, mark{kind + " in hex", hex.EncodeToString([]byte(text))})
	}
	for _, h := range sc.houses {
		for _, one := range h.patients {
			add("name", one.name)
			add("e-mail address", one.email)
			add("phone number", one.phone)
			add("record number", one.mrn)
			add("date of birth", one.birth.Format(time.DateOnly))
		}
	}
	add("letter", openingHours)
	add("inquiry", inquiry)
	for _, a := range accepted {
		if at := link.FindStringSubmatch(a.Body); at != nil {
			p.Tokens[strings.TrimPrefix(at[1], "/m/")] = true
		}
	}
	return p
}

// tokenRun is where the secret of a page may be: 256 bits are 43 of these characters.
var tokenRun = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)

const tokenLength = 43

// search looks for what was planted, whatever its case.
func (p Planted) search(name string, text []byte) Sink {
	s := Sink{Name: name, Bytes: len(text)}
	for _, run := range tokenRun.FindAll(text, -1) {
		for i := range len(run) - tokenLength + 1 {
			if p.Tokens[string(run[i:i+tokenLength])] {
				s.Found = append(s.Found, "page's secret")
			}
		}
	}
	lower := bytes.ToLower(text)
	for _, m := range p.Marks {
		if bytes.Contains(lower, []byte(m.text)) {
			s.Found = append(s.Found, m.kind)
		}
	}
	slices.Sort(s.Found)
	s.Found = slices.Compact(s.Found)
	return s
}

// sinks looks through everything that a run leaves outside the sealed columns.
func (s *stage) sinks(ctx context.Context, conn *pgx.Conn, p Planted, accepted []Accepted) (sinks []Sink, err error) {
	for _, program := range s.programs() {
		sinks = append(sinks, p.search("the log of "+program.name, s.read(s.paper.file(program.name+".log"), &err)))
		text, failed := fetchMetrics(ctx, program.address)
		err = errors.Join(err, failed)
		sinks = append(sinks, p.search("the figures of "+program.name, []byte(text)))
	}
	for _, name := range []string{"postgres.log", "redis.log"} {
		sinks = append(sinks, p.search(name, s.read(filepath.Join(s.cluster.Dir, name), &err)))
	}
	sinks = append(sinks, p.search("what Redis keeps, and its commands since its last start", s.readAll(s.cluster.Redis.Data(), &err)),
		p.search("the place outside", s.readAll(s.paper.file("blob"), &err)))
	sentry, failed := s.outside.get(ctx, "/sentry", 0)
	sinks = append(sinks, p.search("what Sentry was told", sentry))
	tables, more := tablesAsText(ctx, conn)
	var notices bytes.Buffer
	for _, a := range accepted { // their link is theirs; a notice says nothing else about anybody
		notices.WriteString(link.ReplaceAllString(a.Body, "") + "\n")
	}
	sinks = append(sinks, p.search("the tables", tables), p.search("the notices", notices.Bytes()))
	return sinks, errors.Join(err, failed, more)
}

func (s *stage) read(path string, err *error) []byte {
	text, failed := os.ReadFile(path)
	if failed != nil {
		*err = errors.Join(*err, failed)
	}
	return text
}

// readAll is every file below a folder, one after the other, with their names.
func (s *stage) readAll(folder string, err *error) []byte {
	var all bytes.Buffer
	failed := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, failed error) error {
		if failed == nil && entry.Type().IsRegular() {
			fmt.Fprintln(&all, path)
			all.Write(s.read(path, err))
		}
		return failed
	})
	if failed != nil {
		*err = errors.Join(*err, failed)
	}
	return all.Bytes()
}

// tablesAsText is every row of every table as text. The canonical bytes of audit events are read as what they say.
func tablesAsText(ctx context.Context, conn *pgx.Conn) ([]byte, error) {
	var all bytes.Buffer
	rows, err := conn.Query(ctx, `SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, table := range tables {
		what := "t::text"
		if strings.HasPrefix(table, "audit_events") {
			what = "t::text, convert_from(t.rec, 'UTF8')"
		}
		if err == nil {
			_, err = conn.PgConn().CopyTo(ctx, &all, "COPY (SELECT "+what+" FROM "+table+" t) TO STDOUT")
		}
	}
	return all.Bytes(), err
}
