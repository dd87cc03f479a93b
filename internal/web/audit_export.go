package web

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// exportWrite is how long a batch of an export may take to leave.
const exportWrite = 30 * time.Second

// auditExport streams the events of a filter as a table, as lines of JSON or as a report to print. What is wrong with the
// filter is said on the form; an export that breaks breaks the connection, so that nobody takes a part for the whole.
func (s *Server) auditExport(c *call) error {
	f := auditFilter(c.form)
	f.After = ""
	x := &export{s: s, c: c, format: c.form.line("format"), hash: sha256.New(), control: http.NewResponseController(c.Response())}
	x.out = bufio.NewWriterSize(io.MultiWriter(c.Response(), x.hash), 64<<10)
	err := s.cfg.Clinic.AuditExport(c.ctx(), c.actor, f, x.format, x)
	switch {
	case err != nil && c.Response().Committed:
		_ = x.control.SetWriteDeadline(time.Unix(1, 0)) // what is missing must be missed: without its end the answer is no answer
		return err
	case correctable(err):
		page, again := s.cfg.Clinic.AuditSearch(c.ctx(), c.actor, f)
		if again == nil {
			again = err
		}
		return s.auditPage(c, page, again)
	}
	return err
}

// export is an answer that is written batch by batch.
type export struct {
	s       *Server
	c       *call
	format  string
	out     *bufio.Writer
	hash    hash.Hash
	csv     *csv.Writer
	of      clinic.AuditExported
	control *http.ResponseController
}

// exportKinds are the formats' content types and file endings. A report is shown, the others are kept.
var exportKinds = map[string][2]string{"csv": {"text/csv; charset=utf-8", ".csv"}, "json": {"application/x-ndjson", ".jsonl"}, "report": {"text/html; charset=utf-8", ""}}

// csvHead is the first line of a table.
var csvHead = []string{"time (UTC)", "event", "actor kind", "actor id", "actor", "role", "deed", "in words", "subject kind", "subject id", "patient id", "outcome", "reason",
	"address", "browser or program", "request", "detail"}

// Begin writes what stands above the events.
func (x *export) Begin(of clinic.AuditExported) error {
	x.of = of
	kind := exportKinds[x.format]
	x.c.Response().Header().Set("Content-Type", kind[0])
	if kind[1] != "" {
		id := of.ID.String()
		x.c.attach("audit-trail-" + of.Until.Format("2006-01-02") + "-" + id[len(id)-8:] + kind[1])
	}
	if err := x.patience(); err != nil {
		return err
	}
	x.c.Response().WriteHeader(http.StatusOK)
	switch x.format {
	case "csv":
		x.csv = csv.NewWriter(x.out)
		return x.csv.Write(csvHead)
	case "json":
		return x.line(map[string]any{"export": of.ID, "until": of.Until})
	}
	return x.part(partReportHead, of)
}

// patience gives the next write its time, where there is a connection that has one.
func (x *export) patience() error {
	if err := x.control.SetWriteDeadline(time.Now().Add(exportWrite)); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// Rows writes a batch and sends it off.
func (x *export) Rows(rows []clinic.AuditRow) error {
	if err := x.patience(); err != nil {
		return err
	}
	switch x.format {
	case "csv":
		for _, r := range rows {
			if err := x.csv.Write(csvRow(r)); err != nil {
				return err
			}
		}
		x.csv.Flush()
	case "json":
		for _, r := range rows {
			if err := x.line(map[string]any{"event": json.RawMessage(r.Rec)}); err != nil {
				return err
			}
		}
	default:
		if err := x.part(partReportRows, rows); err != nil {
			return err
		}
	}
	return x.send()
}

func (x *export) send() error {
	if err := x.out.Flush(); err != nil {
		return err
	}
	return x.control.Flush()
}

// End says that this is all.
func (x *export) End(events int) (string, error) {
	var err error
	switch x.format {
	case "json":
		err = x.line(map[string]any{"end": true, "events": events})
	case "report":
		err = x.part(partReportFoot, events)
	}
	if err == nil {
		err = x.send()
	}
	return hex.EncodeToString(x.hash.Sum(nil)), err
}

func (x *export) line(of any) error {
	raw, err := json.Marshal(of)
	if err == nil {
		_, err = x.out.Write(append(raw, '\n'))
	}
	return err
}

// part writes a part of the report.
func (x *export) part(what name, v any) error {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if err := x.s.views.writeTo(buf, screen{}, what, &Page{Title: "Audit trail", Actor: x.c.actor, Env: x.s.cfg.Env, V: v}); err != nil {
		return err
	}
	_, err := buf.WriteTo(x.out)
	return err
}

func csvRow(r clinic.AuditRow) []string {
	var detail []string
	for _, fact := range r.Detail {
		detail = append(detail, fact.Name+"="+fact.Value)
	}
	outcome := "done"
	if r.Refused {
		outcome = "refused"
	}
	row := []string{r.At.UTC().Format("2006-01-02T15:04:05.000000Z"), r.ID.String(), r.Kind, idCell(r.ActorID), r.Who, r.Role, r.Did, r.Words, r.SubjectKind, idCell(r.SubjectID),
		idCell(r.PatientID), outcome, r.Reason, r.IP, r.Agent, r.RequestID, strings.Join(detail, "; ")}
	for i := range row {
		row[i] = guarded(row[i])
	}
	return row
}

func idCell(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// guarded is a cell that no spreadsheet takes for a formula: one that begins like one has an apostrophe before it.
func guarded(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}
