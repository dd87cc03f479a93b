package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
)

// asset is one static file, hashed and compressed once at boot.
type asset struct {
	body, gzipped []byte // gzipped is nil for what is compressed by nature
	kind          string
	address       string // with its hash: what stands there never changes
	tag           string
	integrity     string
}

// assets are found under their plain name and under the one with the hash.
type assets struct {
	byName   map[string]*asset
	byHashed map[string]*asset
}

const staticPrefix = "/static/"

func newAssets(files fs.FS) (*assets, error) {
	all := &assets{byName: map[string]*asset{}, byHashed: map[string]*asset{}}
	err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind := contentType(file)
		if kind == "" {
			return fmt.Errorf("%s: no content type is known for it", file)
		}
		body, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		short, long := sha256.Sum256(body), sha512.Sum384(body)
		hash := hex.EncodeToString(short[:8])
		ext := path.Ext(file)
		hashed := strings.TrimSuffix(file, ext) + "." + hash + ext
		a := &asset{body: body, kind: kind, address: staticPrefix + hashed, tag: `"` + hash + `"`,
			integrity: "sha384-" + base64.StdEncoding.EncodeToString(long[:])}
		if !strings.HasPrefix(kind, "font/") && !strings.HasPrefix(kind, "image/png") {
			if a.gzipped, err = zip(body); err != nil {
				return err
			}
		}
		all.byName[file], all.byHashed[hashed] = a, a
		return nil
	})
	return all, err
}

func zip(body []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err = w.Close() // which writes the end
	return buf.Bytes(), err
}

// contentType goes by the extension and does not ask the machine's own tables.
func contentType(file string) string {
	switch path.Ext(file) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".woff2":
		return "font/woff2"
	case ".txt", ".md":
		return "text/plain; charset=utf-8"
	case ".webmanifest":
		return "application/manifest+json"
	default:
		return ""
	}
}

// address is the hashed address of a file, for templates. A name that is not there fails the render, and with it the test.
func (all *assets) address(file string) (string, error) {
	a, ok := all.byName[file]
	if !ok {
		return "", fmt.Errorf("there is no static file %q", file)
	}
	return a.address, nil
}

// integrity is what a script or stylesheet tag carries.
func (all *assets) integrity(file string) (string, error) {
	a, ok := all.byName[file]
	if !ok {
		return "", fmt.Errorf("there is no static file %q", file)
	}
	return a.integrity, nil
}

// staticShow serves a file: for ever under its hashed name, for an hour and then by its tag under its plain one, which
// is how the stylesheet names its fonts.
func (s *Server) staticShow(c *call) error {
	file := strings.TrimPrefix(c.Request().URL.Path, staticPrefix)
	cache := "public, max-age=31536000, immutable"
	a, ok := s.assets.byHashed[file]
	if !ok {
		cache = "public, max-age=3600"
		if a, ok = s.assets.byName[file]; !ok {
			return echo.ErrNotFound
		}
	}
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, cache)
	h.Set("ETag", a.tag)
	if c.Request().Header.Get("If-None-Match") == a.tag {
		return c.NoContent(http.StatusNotModified)
	}
	body := a.body
	if a.gzipped != nil {
		h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
		if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
			h.Set(echo.HeaderContentEncoding, "gzip")
			body = a.gzipped
		}
	}
	return c.Blob(http.StatusOK, a.kind, body)
}
