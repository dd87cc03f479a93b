package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

func TestFailureOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		words  string
	}{
		{&clinic.Error{Kind: clinic.Invalid, Sentence: "a"}, 422, "a"},
		{&clinic.Error{Kind: clinic.Conflict, Sentence: "b"}, 409, "b"},
		{&clinic.Error{Kind: clinic.Forbidden, Sentence: "c"}, 403, "c"},
		{fmt.Errorf("wrapped: %w", &clinic.Error{Kind: clinic.NotFound, Sentence: "d"}), 404, "d"},
		{&clinic.Error{Kind: clinic.Unauthenticated, Sentence: "e"}, 401, "e"},
		{&clinic.Error{Kind: clinic.Unavailable, Sentence: "f"}, 503, "f"},
		{&clinic.Error{Kind: clinic.TooMany, Sentence: "g"}, 429, "g"},
		{errors.New("secret internals"), 500, "Something went wrong"},
		{errPanicked, 500, "Something went wrong"},
		{echo.ErrNotFound, 404, "no page"},
		{echo.ErrMethodNotAllowed, 405, "cannot be used"},
		{echo.ErrBadRequest, 400, "could not be read"},
		{echo.ErrUnsupportedMediaType, 415, "not read here"},
		{errCrossOrigin, 403, "another site"},
		{&http.MaxBytesError{Limit: 1}, 413, "more text"},
	} {
		status, sentence := failureOf(test.err)
		if status != test.status || !strings.Contains(sentence, test.words) || strings.Contains(sentence, "secret") {
			t.Errorf("%v: %d %q", test.err, status, sentence)
		}
	}
}

func TestShapeOf(t *testing.T) {
	t.Parallel()
	both, page, part := answer{page: pageDraft, part: partCard}, answer{page: pageDraft}, answer{part: partError}
	for _, test := range []struct {
		name    string
		a       answer
		headers map[string]string
		want    shape
	}{
		{"a browser", both, nil, wholePage},
		{"a boosted link", both, map[string]string{"HX-Request": "true", "HX-Boosted": "true", "HX-Target": "main"}, wholePage},
		{"back in history", both, map[string]string{"HX-Request": "true", "HX-History-Restore-Request": "true"}, wholePage},
		{"a part", both, map[string]string{"HX-Request": "true", "HX-Target": "draft-card"}, partOnly},
		{"no target", both, map[string]string{"HX-Request": "true"}, partOnly},
		{"the whole of main", both, map[string]string{"HX-Request": "true", "HX-Target": "main"}, contentOnly},
		{"a page without a part", page, map[string]string{"HX-Request": "true", "HX-Target": "x"}, contentOnly},
		{"a part without a page", part, map[string]string{"HX-Request": "true", "HX-Target": "main"}, partOnly},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for k, v := range test.headers {
			r.Header.Set(k, v)
		}
		if got := shapeOf(r, test.a); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestOwnPath(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"/": "/", "/drafts/1?edit=1": "/drafts/1?edit=1", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example/": "/",
		"evil": "/", "/\tx": "/", "/signed-in?next=/": "/", "/sign-in": "/", "/%zz": "/", "javascript:alert(1)": "/", "/a\r\nSet-Cookie: x": "/",
	} {
		if got := ownPath(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestLoginURL(t *testing.T) {
	t.Parallel()
	s := accessGate{&Server{cfg: Config{AccessIssuer: "https://riverside.cloudflareaccess.com", AccessAudience: "aud"}, host: "clinic.example"}}
	u, err := url.Parse(s.signIn("/reviews/1?edit=1", false))
	if err != nil || u.Host != "riverside.cloudflareaccess.com" || u.Path != "/cdn-cgi/access/login/clinic.example" || u.Query().Get("kid") != "aud" {
		t.Fatal(u, err)
	}
	back, err := url.Parse(u.Query().Get("redirect_url"))
	if err != nil || back.Path != "/signed-in" || back.Query().Get("next") != "/reviews/1?edit=1" {
		t.Fatal(back, err)
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	read := func(body, kind string) (form, error) {
		r := httptest.NewRequest(http.MethodPost, "/x?text=from-the-address", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return readForm(httptest.NewRecorder(), r)
	}
	f, err := read(url.Values{"text": {"one\r\n\r\ntwo\rthree "}, "version": {" 7 "}, "id": {"0190a5b4-0000-7000-8000-000000000001"},
		"fact_text": {"a", "", "b"}, "bad": {"x"}}.Encode(), urlEncoded+"; charset=utf-8")
	if err != nil {
		t.Fatal(err)
	}
	if f.text("text") != "one\n\ntwo\nthree " || strings.Join(f.lines("text"), "|") != "one|two|three" || f.version() != 7 || f.number("bad") != 0 ||
		f.id("id").String() != "0190a5b4-0000-7000-8000-000000000001" || f.id("bad") != [16]byte{} || len(f.list("fact_text")) != 3 || f.has("gone") {
		t.Fatalf("%+v", f)
	}
	for _, test := range []struct{ body, kind string }{{"a=1", "multipart/form-data; boundary=x"}, {"a=1", "text/plain"}, {"a=1", ""}, {"a=%zz", urlEncoded}} {
		if _, err := read(test.body, test.kind); err == nil {
			t.Errorf("%q as %q was read", test.body, test.kind)
		}
	}
	var tooLarge *http.MaxBytesError
	if _, err := read("a="+strings.Repeat("x", formBytes), urlEncoded); !errors.As(err, &tooLarge) {
		t.Fatalf("64 KiB and more: %v", err)
	}
	if f, err := read("", ""); err != nil || f.has("a") {
		t.Fatal("an empty body is an empty form", err)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 22, 12, 0, 0, time.UTC) // 16:12 in Chicago
	f := times{now: func() time.Time { return now }, zone: func() *time.Location { return chicago }}
	for _, test := range []struct {
		at                time.Time
		ago, clock, exact string
	}{
		{now.Add(-30 * time.Second), "just now", "16:11", "Mon 23 Nov 2026, 16:11 CST"},
		{now.Add(-12 * time.Minute), "12 min", "16:00", "Mon 23 Nov 2026, 16:00 CST"},
		{now.Add(-2 * time.Hour), "2 h", "14:12", "Mon 23 Nov 2026, 14:12 CST"},
		{now.Add(-20 * time.Hour), "20 h", "22 Nov, 20:12", "Sun 22 Nov 2026, 20:12 CST"},
		{now.Add(-75 * time.Hour), "3 d", "20 Nov, 13:12", "Fri 20 Nov 2026, 13:12 CST"},
		{now.Add(40 * time.Minute), "40 min", "16:52", "Mon 23 Nov 2026, 16:52 CST"},
		{now.AddDate(-1, 0, 0), "365 d", "23 Nov 2025, 16:12", "Sun 23 Nov 2025, 16:12 CST"},
		{now.Add(-2 * time.Hour).In(time.FixedZone("theirs", 3600)), "2 h", "21:12", "Mon 23 Nov 2026, 21:12 theirs"},
		{time.Time{}, "", "", ""},
	} {
		if f.ago(test.at) != test.ago || f.clock(test.at) != test.clock || f.exact(test.at) != test.exact {
			t.Errorf("%v: %q %q %q", test.at, f.ago(test.at), f.clock(test.at), f.exact(test.at))
		}
	}
	if f.iso(now.In(chicago)) != "2026-11-23T22:12:00Z" || f.iso(time.Time{}) != "" {
		t.Error(f.iso(now))
	}
}

func TestPastAndDated(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 2, 29, 0, 0, time.UTC)
	f := times{now: func() time.Time { return now }, zone: func() *time.Location { return time.FixedZone("clinic", -8*3600) }}
	before, after := now.Add(-time.Second), now.Add(time.Second)
	var never *time.Time
	if !f.past(before) || !f.past(&before) || f.past(after) || f.past(&after) || f.past(time.Time{}) || f.past(never) || f.past("then") {
		t.Error("past")
	}
	if got := f.dated("en", now) + "; " + f.dated("es", now) + f.dated("es", time.Time{}); got != "November 22, 2026, 6:29 PM clinic; 22 de noviembre de 2026, 18:29 clinic" {
		t.Error(got)
	}
}

func TestNoAllergies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": true, " None known. ": true, "NKDA": true, "penicillin": false, "none but latex": false} {
		if none(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestTemplateFunctions(t *testing.T) {
	t.Parallel()
	assets, err := newAssets(fstest.MapFS{"app.css": {Data: []byte("a{}")}, "icons/sprite.svg": {Data: []byte("<svg/>")}})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{assets: assets}
	run := func(text string) (string, error) {
		var b strings.Builder
		parsed, err := template.New("x").Funcs(s.functions()).Parse(text)
		if err != nil {
			return "", err
		}
		err = parsed.Execute(&b, nil)
		return b.String(), err
	}
	for text, want := range map[string]string{
		`{{plural 1 "message" "messages"}}, {{plural 7 "message" "messages"}}`: "1 message, 7 messages",
		`{{range seq 3}}{{.}}{{end}}{{range seq -1}}x{{end}}`:                  "012",
		`{{add 2 -3}} {{eqs 1 "1"}}`:                                           "-1 true",
		`{{with field "n" "Name" 5 "wrong" "hint" "max=9" "required" "type=tel"}}{{.Value}}{{.Max}}{{.Required}}{{.Type}}{{.Auto}}{{end}}`: "59truetelo" + "ff",
		`{{with area "n" "Name" "" "" "" "rows=4"}}{{.Rows}}{{end}}`:                                                                       "4",
	} {
		if got, err := run(text); err != nil || got != want {
			t.Errorf("%s: %q %v", text, got, err)
		}
	}
	for _, text := range []string{`{{field "n" "Name" "" "" "" "colour=red"}}`, `{{field "n" "Name" "" "" "" "max=many"}}`, `{{static "gone.css"}}`, `{{sri "gone.js"}}`} {
		if _, err := run(text); err == nil {
			t.Errorf("%s did not fail", text)
		}
	}
	if got, err := run(`{{icon "check"}}`); err != nil || !strings.Contains(got, `href="/static/icons/sprite.`) || !strings.Contains(got, `.svg#check"`) {
		t.Error(got, err)
	}
}

func TestFlashHasNoWordsOfOthers(t *testing.T) {
	t.Parallel()
	if flash("<b>anything</b>").sentence() != "" || saidSaved.sentence() == "" {
		t.Error("only known codes have a sentence")
	}
}
