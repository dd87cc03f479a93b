package web

import (
	"html"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign"
	"countersign/internal/clinic"
	"countersign/internal/limit"
)

// Every form that is posted is declared, and none else; a missing one stops the boot.
func TestEveryFormIsDeclared(t *testing.T) {
	t.Parallel()
	table := (&Server{}).routes()
	if _, err := layForms(table); err != nil {
		t.Fatal(err)
	}
	more := append(slices.Clone(table), route{method: post, path: "/new/form"})
	if _, err := layForms(more); err == nil || !strings.Contains(err.Error(), "POST /new/form") {
		t.Errorf("a form that is not declared: %v", err)
	}
	less := slices.DeleteFunc(slices.Clone(table), func(r route) bool { return r.path == "/networks/block" })
	if _, err := layForms(less); err == nil || !strings.Contains(err.Error(), "/networks/block") {
		t.Errorf("a form that nobody posts: %v", err)
	}
}

// The fields of the templates and those of forms.go are the same.
func TestFieldsOfTemplatesAreDeclared(t *testing.T) {
	t.Parallel()
	shown, declared := map[string]bool{}, map[string]bool{}
	named := regexp.MustCompile(`<(?:input|textarea|select|button)\b[^>]*? name="([a-z_]+)"|\((?:field|area) "([a-z_]+)"|hx-vals='\{"([a-z_]+)"`)
	err := fs.WalkDir(countersign.Templates(), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(file, "styleguide") {
			return err
		}
		text, err := fs.ReadFile(countersign.Templates(), file)
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			shown[m[1]+m[2]+m[3]] = true
		}
		return err
	})
	if err != nil || len(shown) < 30 {
		t.Fatal(err, len(shown))
	}
	for path, f := range forms() {
		for name := range f {
			declared[name] = path != pathVitals || declared[name] // which a script sends
		}
	}
	for _, role := range []string{"staff", "reviewer", "doctor"} { // the table of limits makes these by role
		for _, what := range []string{"_drafts", "_warn_day", "_stop_day", "_warn_month"} {
			shown[role+what] = true
		}
	}
	maps.DeleteFunc(declared, func(_ string, in bool) bool { return !in })
	if a, b := slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(declared)); !slices.Equal(a, b) {
		t.Errorf("templates have %v\nforms.go has %v", a, b)
	}
}

// ways are the wrongs that a form can be bent by, and the words that it is refused with. apply says no where a field cannot
// be bent so.
var ways = map[string]struct {
	words string
	apply func(name string, f field, values url.Values) bool
}{
	"another field": {"does not belong to it (“colour”)", func(_ string, _ field, v url.Values) bool { v.Set("colour", "red"); return true }},
	"a field twice": {"twice", func(name string, f field, v url.Values) bool {
		v[name] = []string{"once", "again"}
		return !f.many
	}},
	"a NUL":                   {"cannot be read", func(name string, _ field, v url.Values) bool { v.Set(name, "a\x00b"); return true }},
	"no UTF-8":                {"cannot be read", func(name string, _ field, v url.Values) bool { v.Set(name, "a\xffb\xc0\xaf"); return true }},
	"half a character":        {"cannot be read", func(name string, _ field, v url.Values) bool { v.Set(name, "caf\xc3"); return true }},
	"several lines in a line": {"several lines", func(name string, f field, v url.Values) bool { v.Set(name, "a\r\nBcc: b"); return f.kind != fieldArea }},
	"a number that is none":   {"not as the page gave it", func(name string, f field, v url.Values) bool { v.Set(name, "1e9"); return f.kind == fieldNumber }},
	"a number over all bounds": {"not as the page gave it", func(name string, f field, v url.Values) bool {
		v.Set(name, "99999999999")
		return f.kind == fieldNumber
	}},
	"an id that is none": {"not as the page gave it", func(name string, f field, v url.Values) bool { v.Set(name, "1 OR 1=1"); return f.kind == fieldID }},
	"a long choice": {"too long", func(name string, f field, v url.Values) bool {
		v.Set(name, strings.Repeat("x", max(f.most, 100)+1))
		return f.kind == fieldChoice
	}},
}

// addressed is a form's address with things of the World in it.
func addressed(path, id string) string {
	return strings.NewReplacer(":id", id, ":token", strings.Repeat("t", 43)).Replace(path)
}

// Every form of the router, bent in every way that it can be: refused with a sentence, what was typed shown again, and
// nothing done.
func TestStrictForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	people := map[string]*visitor{"": s.as(t, s.world.Doctor), "/networks": s.as(t, s.world.Admin)}
	before, tried := s.tables(t), 0
	for path, form := range s.forms {
		v := people[""]
		if !s.doctorPosts(path) {
			v = people["/networks"]
		}
		names := slices.Sorted(maps.Keys(form))
		if len(names) == 0 {
			names = []string{"none"}
		}
		for _, name := range names {
			for what, way := range ways {
				values := url.Values{}
				for other, f := range form {
					if other != name && (f.kind == fieldArea || f.kind == fieldLine && f.most == 0) {
						values.Set(other, "Typed & kept: "+other)
					}
				}
				if len(form) == 0 && what != "another field" || !way.apply(name, form[name], values) {
					continue
				}
				s.cfg.Limits = limit.New(nil, nil)
				tried++
				got := v.do(formRequest(addressed(path, id), values.Encode()))
				if got.Code != http.StatusUnprocessableEntity || !strings.Contains(html.UnescapeString(got.Body.String()), way.words) {
					t.Errorf("POST %s with %s in %s: %d", path, what, name, got.Code)
					continue
				}
				for other := range values {
					if other != name && other != "colour" && !strings.Contains(got.Body.String(), "Typed &amp; kept: "+other) {
						t.Errorf("POST %s with %s in %s: what was typed into %s is lost", path, what, name, other)
					}
				}
			}
		}
	}
	if after := s.tables(t); after != before {
		t.Errorf("one of %d bent forms changed something:\n%s\n%s", tried, before, after)
	}
	if tried < 400 {
		t.Errorf("only %d forms were tried", tried)
	}
}

func formRequest(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// What cannot be taken apart at all is refused too, and htmx is told beside the form and not over it.
func TestBodiesThatAreNoForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Staff)
	for name, test := range map[string]struct {
		kind, body string
		status     int
	}{
		"bad escapes":    {urlEncoded, "name=%zz", http.StatusBadRequest},
		"semicolons":     {urlEncoded, "name=a;mrn=b", http.StatusBadRequest},
		"JSON":           {"application/json", `{"name":"a"}`, http.StatusUnsupportedMediaType},
		"several parts":  {"multipart/form-data; boundary=x", "--x--", http.StatusUnsupportedMediaType},
		"no type":        {"", "name=a", http.StatusUnsupportedMediaType},
		"another script": {urlEncoded + "; charset=utf-16", "name=a", http.StatusUnsupportedMediaType},
	} {
		r := formRequest("/patients/new", test.body)
		r.Header.Set("Content-Type", test.kind)
		if got := v.do(r); got.Code != test.status || !strings.Contains(got.Body.String(), "<p>") {
			t.Errorf("%s: %d %.100s", name, got.Code, got.Body)
		}
	}
	got := v.htmx("main").post("/patients/new", "name", "Ada", "colour", "red")
	v.wants(got, http.StatusUnprocessableEntity, "does not belong to it")
	if got.Header().Get("HX-Retarget") != "#notice" || strings.Contains(got.Body.String(), "<main") || strings.Contains(got.Body.String(), "readonly") {
		t.Error("it comes over the form")
	}
	if got := v.post("/patients/new?name=Eve", "id", uuid.NewString()); strings.Contains(got.Body.String(), "Eve") {
		t.Error("the address is read as a part of the form")
	}
}

// Every field that people type into has an end, told in words, with everything that was typed still there.
func TestOverlongFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	submitted := s.world.Submitted(t, s.world.Patient, "email").String()
	draft, err := s.world.Clinic.BriefCreate(ctx(), s.world.Staff, s.world.Brief(s.world.Patient, "email"))
	if err == nil {
		err = s.world.Clinic.DraftByHand(ctx(), s.world.Staff, draft)
	}
	if err != nil {
		t.Fatal(err)
	}
	doctor, admin, glass, week := s.as(t, s.world.Doctor), s.as(t, s.world.Admin), s.opened(t), s.week(t)
	before, long := s.tables(t), strings.Repeat("much ", 8_000)+"end"
	for path, form := range s.forms {
		if path == "/drafts/:id/check" || path == "/briefs/flags" || path == pathPreview {
			continue // these save nothing and say nothing: the form's own save does
		}
		id := submitted
		if strings.HasPrefix(path, "/drafts") || strings.HasPrefix(path, "/briefs") {
			id = draft.String()
		}
		for name, f := range form {
			if f.kind != fieldArea && f.kind != fieldLine || path == "/drafts/:id/findings" || path == pathPage || path == pathVitals || strings.HasPrefix(path, "/alerts") {
				continue // a patient types a date, of which nothing is shown again; no alert fires here
			}
			v := doctor
			if !s.doctorPosts(path) {
				v = admin
			}
			values := url.Values{name: {long}, "version": {"2"}, "patient_id": {s.world.Patient.String()}, "id": {uuid.NewString()}}
			for extra := range values {
				if _, known := form[extra]; !known {
					values.Del(extra)
				}
			}
			s.cfg.Limits = limit.New(nil, nil)
			address := strings.NewReplacer("/patients/"+id, "/patients/"+s.world.Patient.String(), "/glass/"+id, "/glass/"+glass, "/access/"+id, "/access/"+week).Replace(addressed(path, id))
			got := v.do(formRequest(address, values.Encode()))
			if got.Code != http.StatusUnprocessableEntity && got.Code != http.StatusConflict || !strings.Contains(got.Body.String(), long) {
				t.Errorf("POST %s with 40,000 characters in %s: %d, kept: %v", path, name, got.Code, strings.Contains(got.Body.String(), long))
			}
		}
	}
	if after := s.tables(t); after != before {
		t.Errorf("an overlong field was taken:\n%s\n%s", before, after)
	}
}

// doctorPosts says whether a form is one of a doctor's; the others are an administrator's.
func (s *site) doctorPosts(path string) bool {
	for _, r := range s.routes() {
		if r.method == http.MethodPost && r.path == path {
			return r.door != doorStaff || s.world.Doctor.Can(r.deed)
		}
	}
	return true
}

// opened is an emergency access that waits for its review.
func (s *site) opened(t *testing.T) string {
	t.Helper()
	w := s.world
	if _, err := w.Clinic.PatientCreate(ctx(), w.Doctor2, clinic.PatientForm{Name: "Ada Brook", BirthDate: "1980-02-03", MRN: "60001", Language: "en", DoctorID: w.Doctor2.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Clinic.GlassBreak(ctx(), w.Staff, clinic.GlassForm{MRN: "60001", Reason: "Collapsed in the waiting room."}); err != nil {
		t.Fatal(err)
	}
	return w.Strings(t, "SELECT id::text FROM glass")[0]
}
