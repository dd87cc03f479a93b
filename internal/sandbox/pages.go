package sandbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed assets pages
var embedded embed.FS

// contentPolicy lets a page use its own files and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

type pages struct{ byName map[string]*template.Template }

type signInView struct {
	App    string
	People []personLink
}

type personLink struct {
	person
	Link string
}

type messageView struct{ App, Title, Text string }

func parsePages() (*pages, error) {
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range []string{"inbox", "signin", "signout", "message"} {
		t, err := template.New(name).Funcs(template.FuncMap{"ago": ago, "phone": spacedPhone}).
			ParseFS(embedded, "pages/layout.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("sandbox: pages: %w", err)
		}
		p.byName[name] = t
	}
	return p, nil
}

func (s *Sandbox) page(w http.ResponseWriter, status int, name string, view any) {
	var out bytes.Buffer
	if err := s.pages.byName[name].ExecuteTemplate(&out, "layout", view); err != nil {
		s.opt.Log.Error("sandbox: page", "page", name, "reason", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

// notFound answers in the caller's manner: a page for a browser, JSON for a client library.
func (s *Sandbox) notFound(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.page(w, http.StatusNotFound, "message", messageView{App: s.opt.BaseURL, Title: "Nothing here",
			Text: "The sandbox has no such address."})
		return
	}
	writeJSON(w, http.StatusNotFound, map[string]string{"error": "the sandbox has no such address"})
}

func assetHandler() http.Handler {
	files, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic(err) // cannot happen: the name is a constant
	}
	server := http.StripPrefix("/assets/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		server.ServeHTTP(w, r)
	})
}

func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// writeJSON answers value as JSON. Providers' errors hold "<" and ">", which are left as they are.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(value)
}

// ago says how long a time is past, in few words.
func ago(t time.Time) string {
	switch d := time.Since(t); {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s ago"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h ago"
	}
	return t.Format("2 Jan 15:04")
}

// spacedPhone writes a North American number in groups and leaves others alone.
func spacedPhone(number string) string {
	if len(number) == 12 && strings.HasPrefix(number, "+1") {
		return "+1 " + number[2:5] + " " + number[5:8] + " " + number[8:]
	}
	return number
}

func sortedKeys(names iter.Seq[string]) []string { return slices.Sorted(names) }

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func firstPositive(given, standard int) int {
	if given > 0 {
		return given
	}
	return standard
}

func numberOr(text string, standard int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return standard
	}
	return n
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// merge lays over on top of under; either may be nil.
func merge(under, over map[string]string) map[string]string {
	out := maps.Clone(under)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, over)
	return out
}
