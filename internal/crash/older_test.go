package crash

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// git answers about the checkout.
func git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", "../.."}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("this test builds the version before the newest migration, and needs git and the whole history for it: git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// older is a folder with web and worker as they were before the newest migration came to this branch. It stays in .local, so
// that it is built once.
func older(t *testing.T) (folder, revision string) {
	t.Helper()
	if git(t, "rev-parse", "--is-shallow-repository") != "false" && exec.Command("git", "-C", "../..", "fetch", "--quiet", "--unshallow").Run() != nil {
		t.Fatal("this clone has no history (git fetch --unshallow; in a workflow fetch-depth: 0), and what runs on the new schema during a deploy is the version before")
	}
	files, err := filepath.Glob("../../migrations/*.up.sql")
	must(t, err)
	newest := "migrations/" + filepath.Base(slices.Max(files))
	revision = "HEAD" // a migration that is not committed yet
	if came := git(t, "log", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "-1", "--", newest); came != "" {
		revision = came + "^"
	}
	revision = git(t, "rev-parse", revision)
	if strings.Contains(git(t, "ls-tree", "--name-only", revision, "migrations/"), newest) {
		t.Fatalf("%s has %s already, so it is no older version", revision, newest)
	}
	kept, err := filepath.Abs("../../.local/older")
	must(t, err)
	folder = filepath.Join(kept, revision[:12])
	if _, err := os.Stat(filepath.Join(folder, "worker")); err == nil {
		return folder, revision[:12]
	}
	must(t, os.RemoveAll(kept)) // the one before this
	source, bin := t.TempDir(), t.TempDir()
	archive := filepath.Join(bin, "source.tar")
	git(t, "archive", "--output", archive, revision)
	for _, step := range [][]string{{"tar", "-xf", archive}, {"go", "build", "-buildvcs=false", "-o", bin + "/", "./cmd/web", "./cmd/worker"}} {
		cmd := exec.Command(step[0], step[1:]...)
		cmd.Dir = source
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
	must(t, os.MkdirAll(folder, 0o755))
	for _, name := range []string{"web", "worker"} { // worker last: it says that both are there
		raw, err := os.ReadFile(filepath.Join(bin, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(folder, name), raw, 0o755))
	}
	return folder, revision[:12]
}

// Expand and contract: while a deploy rolls, the version before works on the new schema, on rows that the new one wrote. Its web
// and worker go the whole road here, and the new ones then read what they left.
func TestOlderVersionOnTheNewSchema(t *testing.T) {
	h := open(t)
	from, revision := older(t)
	notices := h.outside.play("p20441@mail.example", answer{channel: "email"})
	old := h.startFrom(from, "web", "")
	h.startFrom(from, "worker", "")
	h.ready()
	message := h.walk(h.as("tom-reyes"), h.as("amara-osei"))
	await(t, "the older worker to deliver it", func() bool {
		return one[string](h, "SELECT coalesce((SELECT state FROM deliveries WHERE message_id = $1), '')", message) == "delivered"
	})
	taken := notices.accepted(t)
	if len(taken) != 1 {
		t.Fatalf("the provider took %d notices", len(taken))
	}
	page := regexp.MustCompile(`https?://\S+/m/[A-Za-z0-9_-]+`).FindString(taken[0].Body)
	patient := &person{h: h, http: &http.Client{Jar: &wallet{cookies: map[string]string{}}, Timeout: patience}}
	_, ask := patient.get(page)
	path := strings.TrimPrefix(page, h.base)
	if body := patient.send(ask, path, path, url.Values{"month": {"5"}, "day": {"30"}, "year": {"1967"}}); !strings.Contains(body, "Start losartan 50 mg") {
		t.Errorf("the patient does not read what was signed: %.600s", body)
	}
	old.end(kill)
	h.web("")
	if status, body := h.as("amara-osei").get("/messages/" + message); status != http.StatusOK || !strings.Contains(body, `data-delivery="opened"`) {
		t.Errorf("the new version does not show what the older one did: %d", status)
	}
	t.Logf("web and worker of %s wrote, signed, sent and showed a message on schema %d", revision, clinic.SchemaVersion)
}

// ready waits until web serves at the house's own address.
func (h *house) ready() {
	h.t.Helper()
	await(h.t, "web to be ready", func() bool {
		resp, err := http.Get(h.base + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
}

// walk brings a message from a brief to a signature by plain forms, and returns its id.
func (h *house) walk(staff, doctor *person) string {
	h.t.Helper()
	_, page := staff.get("/briefs/new?patient=" + h.Patient.String())
	body := staff.send(page, "/briefs", "/briefs", url.Values{"doctor_id": {h.Doctor.ID.String()}, "inquiry": {"My new blood pressure pill makes me cough all night. Can I stop it?"},
		"points":    {"Stop lisinopril 10 mg tonight\nStart losartan 50 mg once a day tomorrow\nBook a blood test"},
		"fact_kind": {"drug", "instruction"}, "fact_text": {"losartan 50 mg once a day", "stop lisinopril 10 mg"},
		"priority": {"normal"}, "kind": {"clinical"}, "channel": {"email"}, "next": {"hand"}})
	found := regexp.MustCompile(`/drafts/([0-9a-f-]{36})/`).FindStringSubmatch(body)
	if found == nil {
		h.t.Fatalf("the brief was not taken: %.1500s", body)
	}
	message := found[1]
	_, page = staff.get("/drafts/" + message)
	staff.send(page, "/drafts/"+message+"/edit", "/drafts/"+message+"/submit", url.Values{"text": {clinictest.Letter}})
	for range 12 {
		_, page = doctor.get("/reviews/" + message)
		if !strings.Contains(page, `action="/reviews/`+message+`/findings"`) {
			break
		}
		doctor.send(page, "/reviews/"+message+"/findings", "/reviews/"+message+"/findings", nil)
	}
	doctor.send(page, "/reviews/"+message+"/approve", "/reviews/"+message+"/approve", nil)
	return message
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z_]+)"[^>]*value="([^"]*)"`)

// send fills a page's form: what it hides goes along, as from a browser. Then it posts it to an address and reads the answer.
func (p *person) send(page, action, to string, fill url.Values) string {
	p.h.t.Helper()
	_, form, found := strings.Cut(page, ` action="`+action+`"`)
	if !found {
		p.h.t.Fatalf("the page has no form for %s: %.3000s", action, page)
	}
	form, _, _ = strings.Cut(form, "</form>")
	values := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(form, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	for name, all := range fill {
		values[name] = all
	}
	if m := regexp.MustCompile(`<button[^>]* name="([a-z]+)" value="([^"]+)"`).FindStringSubmatch(form); m != nil && fill == nil {
		values.Set(m[1], html.UnescapeString(m[2])) // the form's only button says which
	}
	resp, err := p.http.PostForm(p.h.base+to, values)
	must(p.h.t, err)
	status, body := read(p.h, resp)
	if status != http.StatusOK {
		p.h.t.Fatalf("%s answered %d: %.1500s", to, status, body)
	}
	return body
}
