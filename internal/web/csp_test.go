package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func (s *site) report(t *testing.T, body string) *httptest.ResponseRecorder {
	return s.visitor(t).do(httptest.NewRequest(http.MethodPost, "/csp-report", strings.NewReader(body)))
}

// Both spellings of a report are kept by kind: directive, route and what was blocked, and nothing that a browser or
// anybody else wrote.
func TestCSPReport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	secret := "kY3d0sEcReT"
	for body, want := range map[string]string{
		`{"csp-report":{"document-uri":"http://localhost:8080/m/` + secret + `","effective-directive":"script-src-elem","blocked-uri":"inline","script-sample":"` + secret + `"}}`:                                             "script-src-elem /m/:token inline",
		`{"csp-report":{"document-uri":"http://elsewhere/` + secret + `","violated-directive":"` + secret + `","blocked-uri":"https://evil.example/` + secret + `"}}`:                                                          "other elsewhere elsewhere",
		`[{"type":"csp-violation","url":"x","body":{"documentURL":"http://localhost:8080/patients/` + secret + `","effectiveDirective":"img-src","blockedURL":"data","sample":"x"}}]`:                                          "img-src /patients/:id data",
		` [{"type":"deprecation","body":{}}, {"type":"csp-violation","body":{"documentURL":"http://localhost:8080/networks/block","effectiveDirective":"style-src-attr","blockedURL":"moz-extension://` + secret + `/x.js"}}]`: "style-src-attr /networks/block extension",
		`{"csp-report":{"document-uri":"http://localhost:8080/` + secret + `","effective-directive":"connect-src","blocked-uri":"http://localhost:8080/` + secret + `"}}`:                                                      "connect-src none here",
	} {
		if got := s.report(t, body); got.Code != http.StatusNoContent {
			t.Errorf("%s: %d", body, got.Code)
		}
		if n := s.world.Count(t, "SELECT count(*) FROM csp_reports WHERE directive || ' ' || route || ' ' || blocked = $1", want); n != 1 {
			t.Errorf("%s is not kept: %q", want, s.world.Strings(t, "SELECT directive || ' ' || route || ' ' || blocked FROM csp_reports"))
		}
	}
	kept := strings.Join(s.world.Strings(t, "SELECT c::text FROM csp_reports c"), "") + s.log.String()
	if strings.Contains(kept, secret) || strings.Contains(kept, "evil") {
		t.Errorf("something of the report is kept: %s", kept)
	}
	for _, body := range []string{"not json", "{}", `{"csp-report":null}`, `[1]`, ""} {
		if got := s.report(t, body); got.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", body, got.Code)
		}
	}
	if got := s.report(t, `{"csp-report":{"document-uri":"`+strings.Repeat("x", formBytes)+`"}}`); got.Code != http.StatusRequestEntityTooLarge {
		t.Error(got.Code)
	}
	admin, doctor := s.as(t, s.world.Admin), s.as(t, s.world.Doctor)
	admin.wants(admin.get("/reports"), http.StatusOK, "/m/:token", "something inline", "a browser extension")
	doctor.wants(doctor.get("/reports"), http.StatusForbidden)
}

// Anybody may post reports, so an address may post thirty a minute, and of a batch twenty are looked at.
func TestCSPReportsAreLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var batch []string
	for range 50 {
		batch = append(batch, `{"type":"csp-violation","body":{"documentURL":"http://localhost:8080/","effectiveDirective":"img-src","blockedURL":"data"}}`)
	}
	for i := range 35 {
		want := http.StatusNoContent
		if i >= 30 {
			want = http.StatusTooManyRequests
		}
		if got := s.report(t, "["+strings.Join(batch, ",")+"]"); got.Code != want || got.Body.Len() != 0 {
			t.Fatalf("report %d: %d %s", i+1, got.Code, got.Body)
		}
	}
	if n := s.world.Count(t, "SELECT sum(times) FROM csp_reports"); n != 600 {
		t.Error(fmt.Sprint(n) + " reports are counted, want 600")
	}
}
