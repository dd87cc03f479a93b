package road

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
)

// quickFigures is a house that writes its figures at once, and is guarded as well as one machine can be.
func quickFigures(t testing.TB) option {
	return func(env map[string]string) {
		env["TIME_FIGURES_EVERY"], env["TIME_FENCE_EVERY"], env["BLOB_URL"] = "150ms", "200ms", "file://"+t.TempDir()
		env["LIMIT_PERSON"], env["LIMIT_ADDRESS"] = "100000", "100000"
	}
}

// tile is what the status page says of a figure.
func (c *client) tile(figure string) string {
	_, page := c.get("/status")
	_, tile, _ := strings.Cut(page, `id="tile-`+figure+`"`)
	tile, _, _ = strings.Cut(tile, "</section>")
	return tile
}

// series is a line of /metrics, or "".
func (h *house) series(name string) string {
	request, err := http.NewRequest(http.MethodGet, h.web+"/metrics", nil)
	must(h.t, err)
	request.Header.Set("Authorization", "Bearer a-token-for-tests-only")
	response, err := http.DefaultClient.Do(request)
	must(h.t, err)
	_, body := h.client().read(response)
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// stands waits until page and /metrics both say that a figure is good, or that it is bad.
func (h *house) stands(c *client, figure string, good bool, nudge func()) {
	h.t.Helper()
	chip, value := ">Good<", "1"
	if !good {
		chip, value = ">Misses its target<", "0"
	}
	h.waitFor(figure+" to be"+chip, 90*time.Second, func() bool {
		nudge()
		return strings.Contains(c.tile(figure), chip) && h.series(`countersign_slo_good{figure="`+figure+`"}`) == value
	})
}

func nothing() {}

// locked runs while a table is locked against everybody, for as long.
func (h *house) locked(table string, long time.Duration, meanwhile func()) {
	h.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, h.database)
	must(h.t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	must(h.t, err)
	var going sync.WaitGroup
	for range 12 {
		going.Go(meanwhile)
	}
	time.Sleep(long) // this is the time that the database takes
	_, err = conn.Exec(ctx, "COMMIT")
	must(h.t, err)
	going.Wait()
}

// Each of the six is made to go bad by what makes it bad, and page and /metrics both say so.
func TestEachFigureGoesBad(t *testing.T) {
	t.Parallel()
	var postgres *proxy
	h := open(t, quickFigures(t), through(t, &postgres, "DATABASE_URL"))
	ops, staff := h.as("kenji-watts"), h.as("tom-reyes")
	var up int
	h.waitFor("a heartbeat and a ready answer to the leader's probe", 20*time.Second, func() bool {
		h.one(&up, "SELECT count(*) FROM up_minutes WHERE beat AND ready")
		return up > 0
	})
	h.exec("UPDATE up_since SET since = date_trunc('minute', now()) - interval '3 minutes', until = date_trunc('minute', now()) - interval '3 minutes'")
	h.exec("INSERT INTO up_minutes (minute, beat, ready) SELECT date_trunc('minute', now()) - n * interval '1 minute', true, true FROM generate_series(1, 3) n ON CONFLICT (minute) DO UPDATE SET beat = true, ready = true")
	well := func() { // a machine that is busy with other tests is not what this one is about
		h.exec("DELETE FROM figure_minutes WHERE figure IN ('first_response', 'database_query', 'error_rate')")
		h.exec(`INSERT INTO figure_minutes (minute, figure, process, seen, good, total, buckets)
			SELECT date_trunc('minute', now()), figure, gen_random_uuid(), 400, 400, 0, ARRAY(SELECT CASE i WHEN 3 THEN 400 ELSE 0 END FROM generate_series(1, 37) i)
			FROM unnest(ARRAY['first_response', 'database_query', 'error_rate']) figure`)
	}
	for _, figure := range []string{"first_response", "database_query", "error_rate", "uptime"} {
		h.stands(ops, figure, true, well)
	}

	slow := func() { h.locked("care_team", 300*time.Millisecond, func() { staff.get("/patients") }) }
	t.Run("a database that is slow", func(t *testing.T) {
		h.stands(ops, "database_query", false, slow)
		h.stands(ops, "first_response", false, slow)
	})
	t.Run("minutes without a heartbeat", func(t *testing.T) {
		h.exec("UPDATE up_since SET since = since - interval '1 hour'")
		h.stands(ops, "uptime", false, nothing)
	})
	t.Run("controls that are off", func(t *testing.T) {
		h.stands(ops, "security_score", false, nothing) // here the app's role owns the trail, and KEYSET stands as it is
		if tile := ops.tile("security_score"); !strings.Contains(tile, "at the last look") {
			t.Errorf("%s", tile)
		}
	})
	t.Run("a queue without a worker", func(t *testing.T) {
		h.stopWork()
		h.approved(h.as("amara-osei"), h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", ""), "Ada Winter", "email", 0)
		h.stands(ops, "queue_processing", false, nothing)
	})
	t.Run("a Postgres that is away", func(t *testing.T) {
		postgres.set(true)
		for range 5 {
			if status, _ := staff.get("/patients"); status != http.StatusServiceUnavailable {
				t.Fatalf("without Postgres: %d", status)
			}
		}
		if errors := h.series("countersign_request_errors_total"); errors == "" || errors == "0" {
			t.Errorf("/metrics counts %q errors while Postgres is away", errors)
		}
		postgres.set(false)
		h.waitFor("Postgres", 20*time.Second, func() bool { return h.status("/readyz") == http.StatusOK })
		h.stands(ops, "error_rate", false, nothing)
	})
}

// A visit in a real browser gives figures by page, under the policy as it is, and no address of a page.
func TestWebVitals(t *testing.T) {
	t.Parallel()
	h := open(t, quickFigures(t))
	rosa := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	staff, ops := newBrowser(t, true), newBrowser(t, true)
	staff.signIn(h, "tom-reyes")
	var n int
	for _, vital := range []string{"LCP", "CLS", "TTFB", "INP"} {
		staff.until(vital+" of the patient's page", func() bool {
			staff.visit(h.web + "/patients/" + rosa.String())
			staff.see("h1")
			if vital == "INP" {
				staff.click("summary, h1") // an interaction, and the frame after it
				staff.do(chromedp.Sleep(200 * time.Millisecond))
			}
			staff.visit(h.web + "/patients") // only now is the page left
			time.Sleep(400 * time.Millisecond)
			h.one(&n, "SELECT count(*) FROM vital_hours WHERE route = '/patients/:id' AND vital = $1", vital)
			return n == 1
		})
	}
	h.one(&n, "SELECT count(*) FROM vital_hours WHERE route LIKE '%"+rosa.String()+"%' OR route LIKE '/m/%'")
	if n != 0 {
		t.Errorf("%d rows hold an address", n)
	}
	ops.signIn(h, "kenji-watts")
	ops.visit(h.web + "/status")
	ops.until("the patient's page among the vitals", func() bool { return strings.Contains(ops.text("#status-figures"), "/patients/:id") })
	shown := regexp.MustCompile(`/patients/:id\s+(\d[^\n]*)`).FindStringSubmatch(ops.text("#status-figures"))
	t.Logf("a visit: %v", shown)
	ops.page("figures")
	ops.pictures("figures")
}

// The figures come anew by themselves, and are all there without scripts.
func TestFiguresAreLive(t *testing.T) {
	t.Parallel()
	h := open(t, quickFigures(t))
	live, plain := newBrowser(t, true), newBrowser(t, false)
	live.signIn(h, "kenji-watts")
	live.visit(h.web + "/status")
	live.see("#status-figures")
	h.exec(`INSERT INTO figure_minutes (minute, figure, process, seen, good, total) VALUES (date_trunc('minute', now()), 'error_rate', gen_random_uuid(), 1000000, 900000, 0)`)
	live.until("the error rate to be bad, without a reload", func() bool { return strings.Contains(live.text("section:has(#tile-error_rate)"), "Misses its target") })
	plain.signIn(h, "kenji-watts")
	plain.visit(h.web + "/status")
	if text := plain.text("section:has(#tile-error_rate)"); !strings.Contains(text, "Misses its target") || !strings.Contains(text, "target") {
		t.Errorf("without scripts: %s", text)
	}
}
