package web

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
	"countersign/internal/waf"
)

// filter shows a request to the optional filter before it is routed, counted or known by its session. Left out is what must
// not be looked at: what people write (see field.leftOut), and what is secret and judged otherwise. Whom the lists of networks
// do not keep out, for the sake of patients, the filter does not either. Of what it finds, numbers of rules and the route's
// pattern are logged and nothing else.
func (s *Server) filter(next echo.HandlerFunc) echo.HandlerFunc {
	if s.cfg.Filter == nil {
		return next
	}
	return func(c echo.Context) error {
		r := c.Request()
		c.Echo().Router().Find(r.Method, echo.GetPath(r), c) // which form it is; the router finds the same again
		if freeOfFilter(r.Method, c.Path()) {
			return next(c)
		}
		form, err := s.formToLookAt(c)
		if err != nil {
			return err
		}
		look := waf.Request{Method: r.Method, URI: uriToLookAt(c), Proto: r.Proto, Host: r.Host, Header: headerToLookAt(r), Form: form}
		if look.Weight() > lookLight {
			if err := s.within(c, s.rules.heavy, s.callerKey(c)); err != nil {
				return err
			}
		}
		verdict, err := s.cfg.Filter.Look(look)
		if err != nil {
			return err
		}
		if len(verdict.Rules) > 0 {
			s.cfg.Log.WarnContext(r.Context(), "the filter found an attack", "route", c.Path(), "rules", verdict.Rules, "refused", verdict.Refused)
		}
		if verdict.Refused {
			s.cfg.Metrics.Refused("waf")
			return filtered(strings.HasPrefix(r.URL.Path, "/m/"))
		}
		return next(c)
	}
}

// freeOfFilter: providers, whose signature is looked at instead and whose reports must not be lost, the one click by which a
// mail program stops notices, and probes. See freeOfLists.
func freeOfFilter(method, route string) bool {
	return route == pathHealth || route == pathReady ||
		method == http.MethodPost && (strings.HasPrefix(route, "/webhooks/") || route == "/m/:token/stop")
}

// filtered is the refusal. A patient reads it in both languages.
func filtered(patient bool) error {
	said := "A part of this request looks like an attack, so it was stopped and nothing was done. If you only used Countersign as usual, tell your administrator."
	if patient {
		said = "A part of this request looks like an attack, so it was stopped. If you only used your link, call the clinic. · " +
			"Una parte de esta solicitud parece un ataque, por eso se detuvo. Si solo usó su enlace, llame a la clínica."
	}
	return &clinic.Error{Kind: clinic.Forbidden, Code: "waf", Sentence: said}
}

// formToLookAt is what the filter may see of a form of ours: all but the fields that are left out. It reads the body as far as
// a form may go and gives it back. What is no form is nil: its body is not looked at here, and no handler of a form takes it.
func (s *Server) formToLookAt(c echo.Context) (url.Values, error) {
	r := c.Request()
	known, ours := s.forms[c.Path()]
	if r.Method != http.MethodPost || !ours || r.ContentLength == 0 || !isForm(r) {
		return nil, nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, formBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, echo.ErrBadRequest
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	sent, err := url.ParseQuery(string(raw)) // as readForm will
	if err != nil {
		return nil, nil
	}
	return known.toLookAt(sent), nil
}

// lookBytes is how much of a form the rules are run over: they take some 10 ms for each KiB that is made to be hard.
const lookBytes = 4 << 10

// toLookAt is what the filter sees of a form, lookBytes at most. What comes once in a form comes first, then lists, then what
// does not belong to it. Nothing is lost by the end of it: ids and numbers that are what they should be are none of its business,
// a field that is longer than it can be or not of the form is refused by check, and what else is in a list is parsed by its handler.
func (f fields) toLookAt(sent url.Values) url.Values {
	rank := func(name string) int {
		one, known := f[name]
		switch {
		case !known:
			return 2
		case one.many:
			return 1
		}
		return 0
	}
	names := slices.SortedFunc(maps.Keys(sent), func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	seen, left := url.Values{}, lookBytes
	for _, name := range names {
		one, known := f[name]
		for _, value := range sent[name] {
			if known && (one.leftOut() || (one.kind == fieldID || one.kind == fieldNumber) && one.wrong(value) == "") {
				continue
			}
			if left -= len(name) + len(value); left < 0 {
				value = value[:max(0, len(value)+left)]
			}
			seen.Add(name, value)
			if left <= 0 {
				return seen
			}
		}
	}
	return seen
}

// lookLight is how much there is to look at in what our pages and a provider of sign-ins send. What is more takes the rules long,
// and they are run before anybody is counted: so an address may send such only now and then.
const lookLight = 3 << 10

// ownCookies are ours and the edge's: secrets, which are compared or verified, and never parsed as anything else.
var ownCookies = []string{sessionCookie, pageCookie, flowCookie, flashCookie, "CF_Authorization"}

// ownHeaders are secrets of the same kind. Cookies are handed over one by one.
var ownHeaders = []string{"Authorization", "Cf-Access-Jwt-Assertion", "Cookie"}

func headerToLookAt(r *http.Request) http.Header {
	h := r.Header.Clone()
	for _, name := range ownHeaders {
		h.Del(name)
	}
	var others []string
	for _, line := range r.Header.Values("Cookie") {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if name, _, _ := strings.Cut(part, "="); part != "" && !slices.Contains(ownCookies, name) {
				others = append(others, part)
			}
		}
	}
	if len(others) > 0 {
		h.Set("Cookie", strings.Join(others, "; "))
	}
	if r.Method == http.MethodPost && r.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	for _, coding := range r.TransferEncoding { // net/http took it off
		h.Add("Transfer-Encoding", coding)
	}
	return h
}

// uriToLookAt is the address without the secret of a patient's link, as long as that looks like one.
func uriToLookAt(c echo.Context) string {
	r := c.Request()
	uri := r.RequestURI
	if uri == "" {
		uri = r.URL.RequestURI()
	}
	token := c.Param("token")
	if token == "" || strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return uri
	}
	return strings.Replace(uri, token, "token", 1)
}
