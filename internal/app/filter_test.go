package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/metrics"
)

// WAF= is what the web process does.
func TestFilterIsAsSet(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for setting, want := range map[string]int{"off": http.StatusOK, "detect": http.StatusOK, "block": http.StatusForbidden} {
		cfg := &config.Config{WAF: setting, Env: config.Local, BaseURL: "http://localhost:8080", Access: config.Access{Issuer: clinictest.Issuer, Audience: "tag"}}
		a := &App{cfg: cfg, clinic: w.Clinic, metrics: metrics.New()}
		server, err := a.webServer(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://localhost:8080/sign-in?q=%3Cscript%3Ealert(1)%3C/script%3E", nil))
		if rec.Code != want {
			t.Errorf("WAF=%s: %d, want %d", setting, rec.Code, want)
		}
	}
}
