package web

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// form is what a person typed. It reads the body only, never the address.
type form struct{ values url.Values }

const urlEncoded = "application/x-www-form-urlencoded"

// readForm reads the body of a POST: url-encoded UTF-8 and at most formBytes. An empty body is an empty form.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if !isForm(r) && r.ContentLength != 0 {
		return form{}, echo.ErrUnsupportedMediaType
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return form{}, err
		}
		return form{}, echo.ErrBadRequest
	}
	return form{r.PostForm}, nil
}

// isForm says whether the body calls itself url-encoded UTF-8.
func isForm(r *http.Request) bool {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == urlEncoded && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8"))
}

// has says whether a field was sent at all.
func (f form) has(field string) bool { return f.values.Has(field) }

// text is a field as typed, with one kind of line end: browsers send CRLF.
func (f form) text(field string) string { return oneLineEnd(f.values.Get(field)) }

func oneLineEnd(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// line is a field of one line, without the space around it.
func (f form) line(field string) string { return strings.TrimSpace(f.values.Get(field)) }

// lines are the lines of a field that hold something.
func (f form) lines(field string) []string {
	var out []string
	for line := range strings.SplitSeq(f.text(field), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// list are all values of a field that is sent several times.
func (f form) list(field string) []string { return f.values[field] }

// number is a whole number, or 0 for what is none.
func (f form) number(field string) int {
	n, err := strconv.Atoi(f.line(field))
	if err != nil {
		return 0
	}
	return n
}

// id is a UUID, or Nil for what is none.
func (f form) id(field string) uuid.UUID {
	id, err := uuid.Parse(f.line(field))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// version is what the form says it was made from.
func (f form) version() int { return f.number("version") }
