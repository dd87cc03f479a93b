package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign/internal/metrics"
)

// sign is a board that says who it is.
type sign string

func (b sign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "its own")
	body, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(w, string(b)+string(body))
}

func TestQueueBoard(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Queues, c.QueuesReadOnly = sign("the board"), sign("look only") })
	ops, admin, staff := s.as(t, s.world.Ops), s.as(t, s.world.Admin), s.as(t, s.world.Staff)
	got := ops.get("/ops/queues")
	ops.wants(got, 200, "look only")
	if got.Header().Get("Content-Security-Policy") != "its own" || got.Header().Get("X-Frame-Options") != "DENY" {
		t.Error(got.Header())
	}
	ops.wants(ops.post("/ops/queues/api/queues/x:pause"), 403)
	admin.wants(admin.get("/ops/queues/static/x.js"), 200, "the board")
	admin.wants(admin.post("/ops/queues/api/queues/x:pause"), 200, "the board")
	batch := httptest.NewRequest(http.MethodPost, "/ops/queues/api/queues/x/archived_tasks:batch_run", strings.NewReader(`{"task_ids":[]}`))
	batch.Header.Set("Content-Type", "application/json")
	admin.wants(admin.do(batch), 200, `the board{"task_ids":[]}`)
	staff.wants(staff.get("/ops/queues"), 403, "Your role does not include this")
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'queue.operate' AND outcome = 'done' AND detail->>'act' LIKE 'POST /api/queues/x%'"); n != 2 {
		t.Errorf("%d acts on the board are on the trail", n)
	}
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'queue.view' AND outcome = 'done'"); n != 2 {
		t.Errorf("%d looks at the board are on the trail: one a session is due", n)
	}
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE deed LIKE 'queue.%' AND outcome = 'refused'"); n != 2 {
		t.Errorf("%d refusals on the trail", n)
	}
	// The board asks by itself every few seconds. That is no activity.
	for range 4 {
		s.world.Clock.Add(5 * time.Minute)
		got = ops.get("/ops/queues/api/queues")
	}
	if got.Code != http.StatusSeeOther {
		t.Error("polling kept the session alive")
	}
	bare := newSite(t)
	if got := bare.as(t, bare.world.Ops).get("/ops/queues"); got.Code != 404 {
		t.Error(got.Code)
	}
}

func TestMetricsAndStyleguide(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.MetricsToken, c.Metrics = "open sesame", metrics.New() })
	v := s.visitor(t)
	v.get("/m/secret-token")
	v.wants(v.get("/metrics"), 401)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Authorization", "Bearer open sesame")
	got := v.do(r)
	v.wants(got, 200, `countersign_http_request_seconds_count{method="GET",route="/m/:token",status="2xx"} 1`)
	if strings.Contains(got.Body.String(), "secret-token") {
		t.Error("the figures hold a link")
	}
	v.wants(v.get("/styleguide"), 200, "Style guide")
	s.cfg.Env = "production"
	v.wants(v.get("/styleguide"), 404)
	bare := newSite(t).visitor(t)
	bare.wants(bare.get("/metrics"), 404)
}

func TestPanicsAndFaultsAreReported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var panicked any
	s.cfg.Panicked = func(_ context.Context, v any) { panicked = v }
	s.echo.GET("/boom", s.enter(&route{method: get, path: "/boom", door: doorOpen, do: func(*call) error { panic("boom") }}))
	v := s.visitor(t)
	got := v.get("/boom")
	v.wants(got, 500, "Something went wrong", got.Header().Get("X-Request-Id"))
	if panicked != "boom" || strings.Contains(got.Body.String(), "boom") {
		t.Error(panicked)
	}
}
