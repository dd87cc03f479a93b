package metrics

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Authorization", "Bearer scrape-token-1")
	w := httptest.NewRecorder()
	m.Handler("scrape-token-1").ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("the figures answer %d", w.Code)
	}
	return w.Body.String()
}

func TestFiguresByRouteMethodAndClass(t *testing.T) {
	t.Parallel()
	m := New()
	m.Request("/m/:token", http.MethodGet, 200, 3*time.Millisecond)
	m.Request("/m/:token", http.MethodGet, 204, time.Millisecond)
	m.Request("/reviews/:id/approve", http.MethodPost, 409, time.Second)
	m.Request("", "BREW\nx", 999, 0)
	m.Task("delivery.send", nil, 40*time.Millisecond)
	m.Task("delivery.send", errors.New("postgres is away"), time.Second)
	got := scrape(t, m)
	for _, want := range []string{
		`countersign_http_request_seconds_count{method="GET",route="/m/:token",status="2xx"} 2`,
		`countersign_http_request_seconds_count{method="POST",route="/reviews/:id/approve",status="4xx"} 1`,
		`countersign_http_request_seconds_count{method="other",route="none",status="none"} 1`,
		`countersign_http_request_seconds_bucket{method="GET",route="/m/:token",status="2xx",le="0.005"} 2`,
		`countersign_task_seconds_count{outcome="ok",task="delivery.send"} 1`,
		`countersign_task_seconds_count{outcome="error",task="delivery.send"} 1`,
		"go_goroutines",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the figures do not have %s", want)
		}
	}
	if strings.Contains(got, "postgres is away") {
		t.Error("the text of an error became a figure")
	}
	New() // a second registry in one process does not collide
}

func TestHandlerWantsItsToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		token, sent string
		want        int
	}{
		"the token":         {"scrape-token-1", "Bearer scrape-token-1", http.StatusOK},
		"another case":      {"scrape-token-1", "bearer scrape-token-1", http.StatusOK},
		"a wrong token":     {"scrape-token-1", "Bearer scrape-token-2", http.StatusUnauthorized},
		"a prefix":          {"scrape-token-1", "Bearer scrape", http.StatusUnauthorized},
		"another scheme":    {"scrape-token-1", "Basic scrape-token-1", http.StatusUnauthorized},
		"no scheme":         {"scrape-token-1", "scrape-token-1", http.StatusUnauthorized},
		"nothing":           {"scrape-token-1", "", http.StatusUnauthorized},
		"off":               {"", "Bearer scrape-token-1", http.StatusNotFound},
		"off, empty bearer": {"", "Bearer ", http.StatusNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			if tt.sent != "" {
				r.Header.Set("Authorization", tt.sent)
			}
			w := httptest.NewRecorder()
			New().Handler(tt.token).ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("answers %d, want %d", w.Code, tt.want)
			}
			if shown := strings.Contains(w.Body.String(), "go_goroutines"); shown != (tt.want == http.StatusOK) {
				t.Errorf("figures shown is %v", shown)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (tt.want == http.StatusUnauthorized) {
				t.Errorf("the challenge is %q", challenge)
			}
		})
	}
}

func TestServerTimingHeader(t *testing.T) {
	t.Parallel()
	ctx, timing := WithTiming(t.Context())
	if FromContext(ctx) != timing {
		t.Fatal("the context has another Timing")
	}
	shape := regexp.MustCompile(`^total;dur=\d+\.\d, db;dur=(\d+\.\d);desc="(\d+ \w+)", render;dur=(\d+\.\d)$`)
	for _, step := range []struct {
		queries  int
		took     time.Duration
		ms, desc string
	}{{0, 0, "0.0", "0 queries"}, {1, 1500 * time.Microsecond, "1.5", "1 query"}, {2, 3 * time.Millisecond, "4.5", "3 queries"}} {
		FromContext(ctx).AddDB(step.queries, step.took)
		FromContext(ctx).AddRender(step.took)
		got := shape.FindStringSubmatch(timing.Header())
		if got == nil || got[1] != step.ms || got[2] != step.desc || got[3] != step.ms {
			t.Errorf("the header is %q, want %s ms and %q", timing.Header(), step.ms, step.desc)
		}
	}
	timing.started = time.Now().Add(-2 * time.Second)
	if !strings.HasPrefix(timing.Header(), "total;dur=200") || timing.Total() < 2*time.Second {
		t.Errorf("after two seconds the header is %q", timing.Header())
	}
}

func TestTimingWithoutAndWithMany(t *testing.T) {
	t.Parallel()
	none := FromContext(t.Context())
	none.AddDB(1, time.Second)
	none.AddRender(time.Second)
	if got := none.Header(); none != nil || got != `total;dur=0.0, db;dur=0.0;desc="0 queries", render;dur=0.0` {
		t.Errorf("a context without a Timing gives %q", got)
	}
	_, timing := WithTiming(t.Context())
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { timing.AddDB(1, time.Millisecond); _ = timing.Header() })
	}
	group.Wait()
	if queries, took := timing.DB(); queries != 50 || took != 50*time.Millisecond {
		t.Errorf("%d queries in %v, want 50 in 50ms", queries, took)
	}
}

func TestLabelsStayFew(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{0: "none", 99: "none", 100: "1xx", 200: "2xx", 302: "3xx", 404: "4xx", 599: "5xx", 600: "none"} {
		if got := statusClass(status); got != want {
			t.Errorf("status %d is class %s, want %s", status, got, want)
		}
	}
	for sql, want := range map[string]string{
		"-- name: ReviewApprove :one\nUPDATE reviews": "ReviewApprove",
		"-- name: PatientsList :many":                 "PatientsList",
		"-- name: x'; DROP :one":                      "unnamed",
		"-- name: ":                                   "unnamed",
		"SELECT 'Marguerite Olander'":                 "unnamed",
		"":                                            "unnamed",
		fmt.Sprintf("-- name: %s :one", strings.Repeat("A", 61)): "unnamed",
	} {
		if got := queryName(sql); got != want {
			t.Errorf("%q is named %s, want %s", sql, got, want)
		}
	}
}
