package clinic

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Kind says what an error means to whoever asked. Each edge (web, worker) translates it once.
type Kind int

// The kinds of errors. The zero Kind is Internal: what nobody foresaw.
const (
	Internal Kind = iota
	Invalid
	Conflict
	Forbidden
	NotFound
	Unauthenticated
	Unavailable
	TooMany
)

// Error is a kind and a sentence for the person who sees it. It never holds patient text: conflicts and refusals
// name people of the clinic and fields, not contents.
type Error struct {
	Kind     Kind
	Code     string            // for programs and logs
	Sentence string            // for people
	Fields   map[string]string // field name -> sentence, for Invalid
	cause    error
}

func (e *Error) Error() string {
	if e.Code != "" {
		return e.Code
	}
	return e.Sentence
}

func (e *Error) Unwrap() error { return e.cause }

func invalid(fields map[string]string) error {
	return &Error{Kind: Invalid, Code: "invalid", Sentence: "Please look at the marked fields. Nothing was lost.", Fields: fields}
}

func refuse(kind Kind, code, sentence string) error {
	return &Error{Kind: kind, Code: code, Sentence: sentence}
}

func notFound() error {
	return &Error{Kind: NotFound, Code: "not_found", Sentence: "There is nothing here that you may see. It may have been moved, or it belongs to another care team."}
}

// KindOf tells the kind of any error. A database that cannot be reached is Unavailable, everything unknown Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if isAway(err) {
		return Unavailable
	}
	return Internal
}

// Sentence is what a person may read about the error. Internals stay inside.
func Sentence(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Sentence
	}
	if isAway(err) {
		return "The clinic's records cannot be reached at the moment. Nothing you did was half saved. Please try again in a minute."
	}
	return "Something went wrong on our side, and we have been told. Please try again."
}

// Fields are the sentences beside the fields of a form, or nil.
func Fields(err error) map[string]string {
	var e *Error
	if errors.As(err, &e) {
		return e.Fields
	}
	return nil
}

// Code is the error's short name for logs and metrics.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	if isAway(err) {
		return "database_away"
	}
	return "internal"
}

// isAway: no connection, or the server said that it is starting, stopping, out of connections or a standby (SQLSTATE 08,
// 53, 57P, 25006).
func isAway(err error) bool {
	var connect *pgconn.ConnectError
	var netErr net.Error
	if errors.As(err, &connect) || errors.As(err, &netErr) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return len(pg.Code) == 5 && (pg.Code[:2] == "08" || pg.Code[:2] == "53" || pg.Code[:3] == "57P" || pg.Code == "25006")
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

func isUnique(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && pg.ConstraintName == constraint
}

func noRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// found turns "no rows" into NotFound: out of scope and not there look the same.
func found(err error) error {
	if noRows(err) {
		return notFound()
	}
	return err
}
