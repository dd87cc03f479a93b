package web

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"github.com/angelofallars/htmx-go"

	"countersign/internal/clinic"
	"countersign/internal/metrics"
)

// Page is the dot of every template, pages and partials alike.
type Page struct {
	Title string // never patient text
	Route string // the pattern of the page's address, for what browsers measure
	Nav   string // which link of the navigation is current
	Actor clinic.Actor
	Env   string
	clinic.Banners
	Partial  bool   // a part of an open page: what stands elsewhere on it comes along out of band
	Degraded bool   // live updates are away
	Flash    string // one sentence after a redirect
	Scripts  bool
	V        any // the handler's view
}

// answer is what a handler wants shown. page is for whoever asks with a browser, part for htmx; a part without a page
// or a page without a part will do.
type answer struct {
	page  name
	part  name
	title string
	nav   string
	v     any
	plain bool // no navigation, whatever the page's own layout
}

// shape is how much of an answer a request wants.
type shape int

const (
	wholePage   shape = iota
	contentOnly       // the inside of #main
	partOnly
)

// mainTarget is the id of the element that whole-page forms aim at.
const mainTarget = "main"

// shapeOf decides between page, content and partial. This is the only place that does.
func shapeOf(r *http.Request, a answer) shape {
	if a.page != "" && (!htmx.IsHTMX(r) || htmx.IsBoosted(r) || htmx.IsHistoryRestoreRequest(r)) {
		return wholePage
	}
	if target, _ := htmx.GetTarget(r); a.page != "" && (a.part == "" || target == mainTarget) {
		return contentOnly
	}
	return partOnly
}

// render answers with a page, its content or a partial. It writes nothing until all of it is made.
func (s *Server) render(c *call, status int, a answer) error {
	h := c.Response().Header()
	h.Add("Vary", htmx.HeaderRequest)
	h.Add("Vary", htmx.HeaderTarget)
	page := &Page{Title: a.title, Nav: a.nav, Actor: c.actor, Env: s.cfg.Env, Scripts: true, V: a.v}
	if c.route != nil {
		page.Route = c.route.path
	}
	set := screen{a.page, layoutOf(a.page)}
	if a.plain {
		set.layout = layoutPlain
	}
	var what name
	switch shapeOf(c.Request(), a) {
	case wholePage:
		what = set.layout
		s.surround(c, page, set)
	case contentOnly:
		what = contentName
	case partOnly:
		what, set = a.part, screen{}
		page.Partial = true
		if a.part == partWorklist {
			s.count(c, page)
		}
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	began := time.Now()
	if err := s.views.writeTo(buf, set, what, page); err != nil {
		return err
	}
	metrics.FromContext(c.ctx()).AddRender(time.Since(began))
	if what == partError {
		// Beside the form, never over it.
		if err := htmx.NewResponse().Retarget("#notice").Reswap(htmx.SwapInnerHTML).Write(c.Response()); err != nil {
			return err
		}
	}
	return c.HTMLBlob(status, buf.Bytes())
}

// buffers are lent to renders. Nothing is kept in them that a request may see of another: each is reset first.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// surround adds what only a whole page shows.
func (s *Server) surround(c *call, page *Page, set screen) {
	switch set.layout {
	case layoutPatient:
		page.Scripts = false
	case layoutMain:
		s.banners(c, page)
		page.Degraded = !s.cfg.Hub.Healthy()
		page.Flash = takeFlash(c)
	}
}

// banners are for every page of people who have signed in; strangers and patients are told nothing of it. Without an answer, or with
// a part of it, the page is still worth showing.
func (s *Server) banners(c *call, page *Page) {
	page.Banners, _ = s.cfg.Clinic.BannersSee(c.Request().Context(), c.actor)
}

// count is how much waits for the person. Without it, the page is still worth showing.
func (s *Server) count(c *call, page *Page) {
	if n, err := s.cfg.Clinic.WorklistCount(c.Request().Context(), c.actor); err == nil {
		page.Waiting = n
	}
}

// goTo sends the browser to one of our own pages after an act, with one sentence from flash.go, or none. It is the
// only redirect after a POST: htmx is told by header, since it would follow a 303 inside its own request.
func (s *Server) goTo(c *call, path string, said flash) error {
	setFlash(c, said)
	if htmx.IsHTMX(c.Request()) {
		c.Response().Header().Add("Vary", htmx.HeaderRequest)
		return htmx.NewResponse().Redirect(path).StatusCode(http.StatusOK).Write(c.Response())
	}
	return c.Redirect(http.StatusSeeOther, path)
}
