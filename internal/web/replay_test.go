package web

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// replayed is one request with an id that is not for whoever sends it.
type replayed struct {
	row       row
	who, path string
	form      url.Values
}

// Every route that takes an id, in its address or a form, is asked with ids of another team's patient, of another clinic and
// of nobody, by somebody whose role includes it. The three answers are the same to the letter: 404. Each is on the trail as
// refused, and no table has changed.
func TestReplay(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	var all []replayed
	rows, _ := m.rows()
	routes := map[string]bool{}
	for _, r := range rows {
		if r.rel != nextDoor {
			continue
		}
		routes[r.route.method+" "+r.route.path] = true
		for _, who := range columns[:6] {
			scope := clinic.Actor{Kind: clinic.ActorPerson, Role: clinic.Role(who)}.May(r.route.deed)
			if scope == clinic.None {
				continue
			}
			all = append(all, m.replay(r, who, nextDoor), m.replay(r, who, itself))
			if scope != clinic.Everything {
				all = append(all, m.replay(r, who, other))
			}
		}
	}
	before, refused := m.fingerprint(), m.site.world.Count(t, "SELECT count(*) FROM audit_events WHERE outcome = 'refused'")
	answers := map[string]string{}
	for _, x := range all {
		status, answer := m.read(x)
		if status != http.StatusNotFound {
			t.Errorf("%s %s, %s, by %s: %d", x.row.route.method, x.row.route.path, x.row.rel, x.who, status)
		}
		key := x.row.route.method + " " + x.row.route.path + " " + x.row.kind + " " + x.who
		if first, ok := answers[key]; ok && first != answer {
			t.Errorf("%s: the answers differ:\n%s\n\n%s", key, first, answer)
		}
		answers[key] = answer
		refused++
		if got := m.site.world.Count(t, "SELECT count(*) FROM audit_events WHERE outcome = 'refused'"); got != refused {
			t.Errorf("%s %s, %s, by %s: %d refusals on the trail, want %d", x.row.route.method, x.row.route.path, x.row.rel, x.who, got, refused)
			refused = got
		}
	}
	if after := m.fingerprint(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	if len(routes) < 40 || len(all) < 250 {
		t.Errorf("only %d routes were asked, %d times", len(routes), len(all))
	}
	t.Logf("%d routes, %d requests", len(routes), len(all))
}

// replay prepares a request in another relation; itself means an id that nobody has.
func (m *matrix) replay(r row, who string, rel relation) replayed {
	m.t.Helper()
	r.rel = rel
	from := r
	if rel == itself {
		from.rel = nextDoor
	}
	id, form := m.id(from, who)
	if rel == itself {
		form = maps.Clone(form)
		nobody := uuid.Must(uuid.NewV7()).String()
		for field, values := range form {
			if slices.Contains([]string{"patient_id", "pick", "row"}, field) {
				form[field] = []string{strings.Replace(values[0], values[0][:36], nobody, 1)}
			}
		}
		id = nobody
	}
	path := strings.NewReplacer(":id", id).Replace(r.route.path)
	switch r.route.path {
	case "/briefs/new":
		path += "?patient=" + form.Get("patient_id")
	case "/drafts/:id/diff":
		path += "?from=1&to=1"
	case pathEvents:
		path += "?names=message-" + id
	}
	return replayed{row: r, who: who, path: path, form: form}
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// read is all of an answer that a stranger can read: status, headers but for the clock and the request's id, and body.
func (m *matrix) read(x replayed) (status int, answer string) {
	m.t.Helper()
	got := m.request(m.in[x.who], x.row.route.method, x.path, x.form)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	m.must(err)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got.Header)) {
		if name != "Date" && name != "Server-Timing" && name != "X-Request-Id" {
			b.WriteString(name + ": " + strings.Join(got.Header[name], " | ") + "\n")
		}
	}
	return got.StatusCode, ids.ReplaceAllString(b.String()+"\n"+string(body), "ID")
}

// fingerprint is a digest of every table but the trail, sessions and people included.
func (m *matrix) fingerprint() string {
	m.t.Helper()
	var b strings.Builder
	w := m.site.world
	for _, table := range w.Strings(m.t, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'audit_%' ORDER BY 1") {
		b.WriteString(table + " " + w.Strings(m.t, "SELECT coalesce(md5(string_agg(x::text, '' ORDER BY x::text)), '') FROM "+table+" x")[0] + "\n")
	}
	return b.String()
}
