package web

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// linkOf is what the newest notice carries: the only place where a link can be read.
func linkOf(t testing.TB, s *site) string {
	t.Helper()
	for _, due := range slices.Backward(s.world.Dues()) {
		if due.Deed != clinic.DeliverySend {
			continue
		}
		p, err := s.world.Clinic.DeliveryClaim(ctx(), clinic.WorkerActor("t"), due.ID)
		if err != nil || p == nil {
			t.Fatal(p, err)
		}
		for word := range strings.FieldsSeq(p.Body.Reveal()) {
			if _, path, ok := strings.Cut(word, "http://localhost:8080"); ok {
				return strings.TrimRight(path, ".")
			}
		}
	}
	t.Fatal("no notice is due")
	return ""
}

func TestPatientsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Approved(t, s.world.Patient, "email")
	link := linkOf(t, s)
	v := s.visitor(t)
	form := v.get(link)
	v.wants(form, 200, "Date of birth", "Riverside Care Team", `action="`+link+`"`)
	body := form.Body.String()
	if strings.Contains(body, "<script") || strings.Contains(body, "Rosa") {
		t.Error("the form says too much")
	}
	unknown := v.get("/m/" + strings.Repeat("z", 43))
	if strings.ReplaceAll(unknown.Body.String(), strings.Repeat("z", 43), "") != strings.ReplaceAll(body, strings.TrimPrefix(link, "/m/"), "") {
		t.Error("an unknown link looks different")
	}
	v.wants(v.post(link, "month", "5", "day", "31", "year", "1967"), 401, "That did not work", `value="31"`)
	v.wants(v.post("/m/unknown", "month", "5", "day", "30", "year", "1967"), 401, "That did not work")
	for range 6 { // no such day costs no try
		v.wants(v.post(link, "month", "13", "day", "30", "year", "1967"), 422, "month, the day and the year", `value="13"`)
		v.wants(v.post(link, "month", "", "day", "", "year", ""), 422, "month, the day and the year")
	}
	v.wants(v.get(link+"?lang=es"), 200, `lang="es"`, "Fecha de nacimiento", "In English")
	v.wants(v.post(link, "month", "5", "day", "31", "year", "1967", "lang", "es"), 401, "No ha funcionado")
	v.goes(v.get(link+"/read"), link)
	got := v.post(link, "month", "5", "day", "30", "year", "1967")
	v.goes(got, link+"/read")
	c := got.Result().Cookies()[0]
	if c.Name != "__Host-page" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %+v", c)
	}
	read := v.get(link + "/read")
	v.wants(read, 200, "Dear Rosa Delgado", "losartan 50 mg", "Dr Amara Osei", "I have read this", `href="tel:`)
	if read.Header().Get("Refresh") != "900; url="+link || read.Header().Get("Referrer-Policy") != "no-referrer" || read.Header().Get("Cache-Control") != "no-store" {
		t.Error(read.Header())
	}
	v.goes(v.post(link+"/acknowledge"), link+"/read")
	v.wants(v.get(link+"/read"), 200, "Thank you.")
	v.wants(s.as(t, s.world.Doctor).get("/messages/"+id.String()), 200, "acknowledged")

	// A staff cookie opens no page and a page's cookie no worklist.
	other := s.visitor(t)
	other.cookies[pageCookie] = s.as(t, s.world.Staff).cookies[sessionCookie]
	other.goes(other.get(link+"/read"), link)
	other.cookies = map[string]string{sessionCookie: v.cookies[pageCookie], "CF_Authorization": assertion(t, s.world.Staff.Name, s.world.Clock.Now())}
	other.goes(other.get("/patients"), "/signed-in?next=%2Fpatients")

	s.world.Clock.Add(16 * time.Minute)
	v.goes(v.get(link+"/read"), link)
	if strings.Contains(s.log.String(), strings.TrimPrefix(link, "/m/")) || !strings.Contains(s.log.String(), "/m/:token/read") {
		t.Error("the log holds a link, or no patterns")
	}
}

// A language that was chosen on the form holds behind the proof too; without a choice it is the patient's own.
func TestPatientsLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.world.Approved(t, s.world.Patient, "email")
	link, v := linkOf(t, s), s.visitor(t)
	v.wants(v.get(link+"?lang=es"), 200, `action="`+link+`?lang=es"`)
	v.goes(v.post(link+"?lang=es", "month", "5", "day", "30", "year", "1967"), link+"/read?lang=es")
	spanish := v.get(link + "/read?lang=es")
	v.wants(spanish, 200, `<html lang="es"`, `<div class="letter" lang="en">`, "He leído esto", link+"/read?lang=en", link+"/acknowledge?lang=es")
	if spanish.Header().Get("Refresh") != "900; url="+link+"?lang=es" {
		t.Error(spanish.Header())
	}
	v.goes(v.post(link+"/acknowledge?lang=es"), link+"/read?lang=es")
	v.wants(v.get(link+"/read"), 200, `<html lang="en"`, `<div class="letter">`, "Thank you.", link+"/read?lang=es")
}

func TestPatientStops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Approved(t, s.world.Patient, "email")
	link := linkOf(t, s)
	v := s.visitor(t)
	v.wants(v.get(link+"/stop"), 200, "Stop these notices?")
	out := func() int {
		return s.world.Count(t, "SELECT count(*) FROM consents WHERE status = 'out'")
	}
	if out() != 0 {
		t.Fatal("a GET had an effect")
	}
	stop := link + "/stop?d=" + s.world.Strings(t, "SELECT id::text FROM deliveries")[0]
	v.wants(v.get(stop), 200, `action="`+link+`/stop?lang=en&amp;`+stop[len(link+"/stop?"):]+`"`)
	v.wants(v.post(link+"/stop?lang=en&d="+uuid.NewString()), 200, "Done")
	if out() != 0 {
		t.Fatal("the link of another delivery had an effect")
	}
	r := httptest.NewRequest(http.MethodPost, stop, strings.NewReader("List-Unsubscribe=One-Click"))
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	v.wants(v.do(r), 200, "Done")
	v.wants(v.post("/m/unknown/stop"), 200, "Done")
	if out() != 1 {
		t.Fatal(out())
	}

	doctor := s.as(t, s.world.Doctor)
	v.goes(v.post(link, "month", "5", "day", "30", "year", "1967"), link+"/read")
	version := versionOn(t, doctor.get("/messages/"+id.String()))
	doctor.goes(doctor.post("/messages/"+id.String()+"/withdraw", "version", version), "/messages/"+id.String())
	doctor.wants(doctor.get("/messages/"+id.String()), 200, "The message is withdrawn.")
	v.wants(v.get(link+"/read"), http.StatusGone, "The clinic withdrew this message")
	doctor.wants(doctor.get("/messages/"+uuid.NewString()), 404)
}

// No page weighs more than 60 KB with all that it loads, fonts aside.
func TestWeight(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Doctor)
	v.header.Set("Accept-Encoding", "gzip")
	shared := 0
	for _, file := range []string{"app.css", "app.js", "tt.js", "htmx.min.js", "web-vitals.iife.js", "vitals.js", "icons/sprite.svg"} {
		address, err := s.assets.address(file)
		if err != nil {
			t.Fatal(err)
		}
		shared += v.get(address).Body.Len()
	}
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	for _, path := range []string{"/patients", "/patients/" + s.world.Patient.String(), "/briefs/new?patient=" + s.world.Patient.String(),
		"/drafts/" + id, "/reviews/" + id, "/messages/" + id, "/settings"} {
		got := v.get(path)
		if got.Code != 200 || got.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
		if n := shared + got.Body.Len(); n > 60<<10 {
			t.Errorf("%s weighs %d bytes, %d of them shared", path, n, shared)
		} else {
			t.Logf("%s: %d bytes, %d of them shared", path, n, shared)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Doctor)
	page := v.get("/settings")
	v.wants(page, 200, "professional", "Kind regards")
	fields := []string{"version", versionOn(t, page), "tone", "concise", "reading_level", "middle", "specialty", "Cardiology", "sign_off", "Yours,\r\nDr Osei", "max_words", "120"}
	v.wants(v.htmx("settings-preview").post("/settings/preview", fields...), 200, `id="settings-preview"`, "concise")
	v.wants(v.post("/settings/preview", fields...), 200, "<!doctype html>", "concise")
	if got := v.htmx("main").post("/settings", fields...); got.Code != 200 || got.Header().Get("HX-Redirect") != "/settings" {
		t.Fatal(got.Code, got.Header())
	}
	v.wants(v.get("/settings"), 200, "Saved. The next draft uses them.", "Dr Osei")
	stale := v.post("/settings", fields...)
	v.wants(stale, 409, "another window")
	fields[1] = versionOn(t, stale)
	v.goes(v.post("/settings", fields...), "/settings")
	fields[11] = "9"
	v.wants(v.post("/settings", fields...), 422, "between 50 and 500", `value="9"`)
	staff := s.as(t, s.world.Staff)
	staff.wants(staff.get("/settings"), 403)
}
