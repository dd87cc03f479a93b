package logging

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const redacted = "[redacted]"

// dangerous are the attribute keys that hold text a person typed, a way to
// reach someone, an address with a secret in it, or a credential.
var dangerous = setOf(`name mail dob mrn address street token jwt dsn url uri path query rawquery referer referrer
	body text content payload html summary history medications allergies notes note inquiry draft prompt completion reply brief
	facts sentence sentences greeting recipient term search form header headers request response result args params plain plaintext`)

// dangerousParts make a key dangerous wherever they stand in it.
var dangerousParts = strings.Fields(`password passwd secret authorization cookie credential apikey keyset email phone birth
	patientname firstname lastname fullname requestbody responsebody`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

var keySpelling = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// redact is the net: it hides the text of dangerous keys, values that hold a
// whole request, and the part of an error's text that quotes its input.
// Numbers, times and truth values stay.
func redact(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.LevelKey && (attr.Value.Any() == Notice || attr.Value.Any() == Record) {
		return slog.String(attr.Key, "NOTICE")
	}
	if len(groups) == 0 && (attr.Key == slog.MessageKey || attr.Key == slog.LevelKey || attr.Key == slog.TimeKey || attr.Key == slog.SourceKey) {
		return attr
	}
	attr.Value = attr.Value.Resolve()
	if kind := attr.Value.Kind(); kind != slog.KindString && kind != slog.KindAny {
		return attr
	}
	if isDangerous(attr.Key) || slices.ContainsFunc(groups, isDangerous) {
		return slog.String(attr.Key, redacted)
	}
	switch value := attr.Value.Any().(type) {
	case error:
		return slog.String(attr.Key, withoutQuotes(value))
	case []byte, json.RawMessage, *http.Request, *http.Response, http.Header, url.Values, *url.URL, url.URL:
		return slog.String(attr.Key, redacted)
	}
	return attr
}

func isDangerous(key string) bool {
	key = keySpelling.Replace(strings.ToLower(key))
	if dangerous[key] || strings.HasSuffix(key, "token") {
		return true
	}
	for _, part := range dangerousParts {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
}

// Safe is an error that promises a text without anything a person typed.
type Safe interface {
	error
	SafeError() string
}

// withoutQuotes is an error's text in which the errors that are known to quote
// their input (addresses, numbers, database values) are replaced by what they
// are.
func withoutQuotes(err error) string {
	text := err.Error()
	for each := range chain(err) {
		if instead, quotes := described(each); quotes {
			text = strings.ReplaceAll(text, each.Error(), instead)
		}
	}
	return text
}

// described says what an error is without its input, for the kinds that quote
// it.
func described(err error) (string, bool) {
	switch err := err.(type) {
	case interface{ SQLState() string }:
		return "database error " + err.SQLState(), true
	case *url.Error:
		return strings.ToLower(err.Op) + ": " + withoutQuotes(err.Err), true
	case *strconv.NumError:
		return err.Func + ": " + err.Err.Error(), true
	case *json.SyntaxError, *json.UnmarshalTypeError:
		return "JSON that cannot be read", true
	}
	return "", false
}

// known is the text of an error that may leave the house, where there is one:
// a promise of its own, a fault of the runtime, or a code.
func known(err error) (string, bool) {
	switch err := err.(type) {
	case Safe:
		return err.SafeError(), true
	case runtime.Error:
		return err.Error(), true
	case syscall.Errno:
		return err.Error(), true
	case interface{ SQLState() string }:
		return "database error " + err.SQLState(), true
	}
	for _, sentinel := range sentinels {
		if err == sentinel {
			return err.Error(), true
		}
	}
	return "", false
}

// chain walks an error and everything it wraps.
func chain(err error) func(yield func(error) bool) {
	return func(yield func(error) bool) { walk(err, yield) }
}

func walk(err error, yield func(error) bool) bool {
	if err == nil {
		return true
	}
	if !yield(err) {
		return false
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return walk(wrapper.Unwrap(), yield)
	case interface{ Unwrap() []error }:
		for _, each := range wrapper.Unwrap() {
			if !walk(each, yield) {
				return false
			}
		}
	}
	return true
}

// typeName is what may be said of a value about which nothing is known.
func typeName(v any) string { return fmt.Sprintf("%T", v) }

// sentinels are errors of the standard library whose text is a constant.
var sentinels = []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, sql.ErrNoRows}
