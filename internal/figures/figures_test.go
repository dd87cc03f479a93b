package figures

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"countersign/internal/clinictest"
	"countersign/internal/metrics"
	"countersign/internal/slo"
)

func recorder(w *clinictest.World, change func(*Config)) *Recorder {
	cfg := Config{Clinic: w.Clinic, Metrics: metrics.New(), Now: w.Clock.Now}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

func seen(t *testing.T, w *clinictest.World, f slo.Figure) slo.Measure {
	t.Helper()
	all, err := w.Clinic.FiguresShow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Figure == f {
			return m
		}
	}
	t.Fatalf("%s is not shown", f)
	return slo.Measure{}
}

// What is counted while Postgres cannot take it is kept, and told for the minutes in which it was counted.
func TestCountsWaitForPostgres(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	r := recorder(w, nil)
	away := func(is bool) {
		sql := "ALTER TABLE figure_minutes RENAME TO figure_away"
		if !is {
			sql = "ALTER TABLE figure_away RENAME TO figure_minutes"
		}
		if err := w.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	r.cfg.Metrics.Answered(200)
	r.Tick(t.Context())
	away(true)
	for range 3 {
		w.Clock.Add(time.Minute)
		r.cfg.Metrics.Answered(503)
		r.Vital("/patients", "LCP", .3)
		r.Tick(t.Context())
	}
	if len(r.waiting) != 3 {
		t.Errorf("%d minutes wait", len(r.waiting))
	}
	away(false)
	r.Tick(t.Context())
	if m := seen(t, w, slo.ErrorRate); m.Now.Count != 4 || m.Now.Good != 1 || len(r.waiting) != 0 {
		t.Errorf("%+v", m.Now)
	}
	if n := w.Count(t, "SELECT count(DISTINCT minute) FROM figure_minutes"); n != 4 {
		t.Errorf("told for %d minutes", n)
	}
	if n := w.Count(t, "SELECT seen FROM vital_hours WHERE route = '/patients'"); n != 3 {
		t.Errorf("%d visits", n)
	}
	away(true)
	for range minutesLeft + 20 {
		w.Clock.Add(time.Minute)
		r.cfg.Metrics.Answered(200)
		r.gather()
	}
	if r.Tick(t.Context()); len(r.waiting) != minutesLeft {
		t.Errorf("%d minutes are kept, want %d", len(r.waiting), minutesLeft)
	}
	away(false)
}

// A web beats and looks at the score when it is time; a worker asks the web.
func TestWebBeatsAndWorkerAsks(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	looks, percent, broken, said := 0, 96, errors.New("away"), []string{}
	web := recorder(w, func(c *Config) {
		c.Beats = true
		c.Score = func(context.Context) (int, error) { looks++; return percent, broken }
		c.Announce = func(_ context.Context, names []string) { said = append(said, names...) }
	})
	status := http.StatusServiceUnavailable
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { asked++; rw.WriteHeader(status) }))
	t.Cleanup(server.Close)
	worker := recorder(w, func(c *Config) { c.Ready = Probe(server.URL + "/readyz") })
	round := func() { web.Tick(t.Context()); worker.Tick(t.Context()) }
	up := func() int { return w.Count(t, "SELECT count(*) FROM up_minutes WHERE beat AND ready") }
	round()
	if len(said) != 0 || seen(t, w, slo.SecurityScore).Verdict != slo.Quiet || up() != 0 || asked != 1 {
		t.Errorf("%v, %d up, asked %d times", said, up(), asked)
	}
	broken, status = nil, http.StatusOK
	w.Clock.Add(time.Minute)
	round()
	if m := seen(t, w, slo.SecurityScore); m.Verdict != slo.Good || m.Now.Value != .96 || up() != 1 || len(said) != 1 || said[0] != Name {
		t.Errorf("%+v, %d up, %v", m, up(), said)
	}
	percent = 90
	w.Clock.Add(time.Minute)
	round()
	if looks != 2 || seen(t, w, slo.SecurityScore).Verdict != slo.Good {
		t.Errorf("looked %d times", looks)
	}
	w.Clock.Add(15 * time.Minute)
	round()
	if m := seen(t, w, slo.SecurityScore); looks != 3 || m.Verdict != slo.Bad || m.Now.Value != .9 {
		t.Errorf("looked %d times: %+v", looks, m)
	}
	server.Close()
	if Probe(server.URL)(t.Context()) || Probe("http://%zz")(t.Context()) {
		t.Error("nobody is ready")
	}
	elsewhere := http.NewServeMux()
	elsewhere.Handle("/readyz", http.RedirectHandler("/sign-in", http.StatusFound))
	elsewhere.HandleFunc("/sign-in", func(http.ResponseWriter, *http.Request) {})
	edge := httptest.NewServer(elsewhere)
	t.Cleanup(edge.Close)
	if Probe(edge.URL+"/readyz")(t.Context()) || Probe(edge.URL+"/nowhere")(t.Context()) || !Probe(edge.URL+"/sign-in")(t.Context()) {
		t.Error("a redirect to a sign-in, or what is not there, is ready")
	}
}

// A stop tells the last counts.
func TestRunEndsWithTheLastCounts(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	r := recorder(w, nil)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r.cfg.Metrics.Answered(200)
	r.Run(ctx)
	if m := seen(t, w, slo.ErrorRate); m.Now.Count != 1 {
		t.Errorf("%+v", m.Now)
	}
}

// A process that dies young has not tried the doors: a hundred of them would have used up what their address may ask.
func TestYoungProcessDoesNotLook(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	rounds, looks := 0, make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := New(Config{Clinic: w.Clinic, Metrics: metrics.New(), Every: 50 * time.Millisecond,
		Score:    func(context.Context) (int, error) { looks <- rounds; return 97, nil },
		Announce: func(context.Context, []string) { rounds++ }})
	go r.Run(ctx)
	if before := <-looks; before == 0 {
		t.Error("it looked in its first round")
	}
}

// A process deletes what is old once an hour, and again when that did not go.
func TestRecorderForgets(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	r := recorder(w, nil)
	old := func() int {
		t.Helper()
		return w.Count(t, "SELECT count(*) FROM figure_minutes WHERE minute < $1", w.Clock.Now().Add(-48*time.Hour))
	}
	add := func() {
		t.Helper()
		if err := w.Exec(t, "INSERT INTO figure_minutes (minute, figure, process, seen, good, total, buckets) VALUES ($1, 'error_rate', gen_random_uuid(), 1, 1, 0, '{}')", w.Clock.Now().Add(-72*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	add()
	if _ = r.Tick(t.Context()); old() != 0 {
		t.Error("nothing was deleted in the first round")
	}
	add()
	w.Clock.Add(59 * time.Minute)
	if _ = r.Tick(t.Context()); old() != 1 {
		t.Error("it deletes before the hour is over")
	}
	w.Clock.Add(2 * time.Minute)
	if err := w.Exec(t, "ALTER TABLE vital_hours RENAME TO vital_away"); err != nil {
		t.Fatal(err)
	}
	if err := r.Tick(t.Context()); err == nil {
		t.Error("what cannot be deleted is no error")
	}
	add()
	if err := w.Exec(t, "ALTER TABLE vital_away RENAME TO vital_hours"); err != nil {
		t.Fatal(err)
	}
	if _ = r.Tick(t.Context()); old() != 0 {
		t.Error("after a failure it waits another hour")
	}
}

// The series of the rows are named as Prometheus wants it, and are missing while Postgres is away.
func TestSeries(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	r := recorder(w, func(c *Config) { c.Beats = true; c.Score = func(context.Context) (int, error) { return 97, nil } })
	r.cfg.Metrics.Answered(503)
	r.Tick(t.Context())
	w.Clock.Add(2 * time.Minute)
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewSeries(w.Clinic))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var got strings.Builder
	for _, f := range families {
		for _, m := range f.Metric {
			got.WriteString(f.GetName() + " " + strings.ReplaceAll(m.String(), "  ", " ") + "\n")
		}
	}
	for _, want := range []string{"countersign_security_score_ratio", "countersign_uptime_ratio", "countersign_error_ratio", "countersign_queue_oldest_seconds"} {
		if err != nil || !strings.Contains(got.String(), want+" ") {
			t.Errorf("%v: no %s in\n%s", err, want, got.String())
		}
	}
	gone := prometheus.NewRegistry()
	if err := w.Exec(t, "ALTER TABLE figure_quarters RENAME TO figure_away"); err != nil {
		t.Fatal(err)
	}
	gone.MustRegister(NewSeries(w.Clinic))
	if families, err = gone.Gather(); err != nil || len(families) != 2 { // the targets
		t.Errorf("%v: %d families while the rows cannot be read", err, len(families))
	}
}
