package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
)

func TestStatic(t *testing.T) {
	t.Parallel()
	css := []byte(strings.Repeat("a{color:red}", 200))
	files := fstest.MapFS{"app.css": {Data: css}, "fonts/f.woff2": {Data: []byte("font")}}
	assets, err := newAssets(files)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{assets: assets}
	ask := func(path string, header ...string) (*httptest.ResponseRecorder, error) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		return rec, s.staticShow(&call{Context: echo.New().NewContext(r, rec)})
	}
	hashed, err := assets.address("app.css")
	if err != nil || !strings.HasPrefix(hashed, "/static/app.") || !strings.HasSuffix(hashed, ".css") || hashed == "/static/app.css" {
		t.Fatal(hashed, err)
	}
	sum := sha512.Sum384(css)
	if sri, err := assets.integrity("app.css"); err != nil || sri != "sha384-"+base64.StdEncoding.EncodeToString(sum[:]) {
		t.Fatal(sri, err)
	}
	got, err := ask(hashed)
	if err != nil || got.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || !bytes.Equal(got.Body.Bytes(), css) {
		t.Fatal("hashed", err, got.Header())
	}
	got, err = ask(hashed, "Accept-Encoding", "br, gzip")
	if err != nil || got.Header().Get("Content-Encoding") != "gzip" {
		t.Fatal("compressed", err, got.Header())
	}
	plain, err := gzip.NewReader(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(plain); err != nil || !bytes.Equal(body, css) {
		t.Fatal("compressed content differs", err)
	}
	got, err = ask("/static/fonts/f.woff2", "Accept-Encoding", "gzip")
	if err != nil || got.Header().Get("Cache-Control") != "public, max-age=3600" || got.Header().Get("Content-Encoding") != "" || got.Header().Get("Content-Type") != "font/woff2" {
		t.Fatal("plain name", err, got.Header())
	}
	if got, err = ask("/static/fonts/f.woff2", "If-None-Match", got.Header().Get("ETag")); err != nil || got.Code != http.StatusNotModified {
		t.Fatal("by tag", err, got.Code)
	}
	for _, path := range []string{"/static/app.0000000000000000.css", "/static/", "/static/../web.go", "/static/gone.css"} {
		if _, err := ask(path); err != echo.ErrNotFound {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := newAssets(fstest.MapFS{"x.exe": {Data: css}}); err == nil {
		t.Error("a file of no known type was taken")
	}
}
