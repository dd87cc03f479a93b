package waf

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

func ask(form url.Values) Request {
	return Request{Method: "POST", URI: "/deliveries/preview", Proto: "HTTP/1.1", Host: "clinic.example", Form: form,
		Header: map[string][]string{"User-Agent": {"Mozilla/5.0"}, "Content-Type": {"application/x-www-form-urlencoded"}, "Content-Length": {"20"}}}
}

// The same finding is a refusal of a filter that blocks, and a remark of one that does not.
func TestBlockAndDetect(t *testing.T) {
	t.Parallel()
	block, err := New(true)
	if err != nil {
		t.Fatal(err)
	}
	detect, err := New(false)
	if err != nil {
		t.Fatal(err)
	}
	bad := ask(url.Values{"code": {"1' OR '1'='1"}})
	a, err := block.Look(bad)
	if err != nil || !a.Refused || !slices.Contains(a.Rules, 942100) {
		t.Errorf("blocking: %v %v", a, err)
	}
	b, err := detect.Look(bad)
	if err != nil || b.Refused || !slices.Equal(a.Rules, b.Rules) {
		t.Errorf("detecting: %v %v", b, err)
	}
	for _, f := range []*Filter{block, detect} {
		if v, err := f.Look(ask(url.Values{"code": {"30003"}})); err != nil || v.Refused || v.Rules != nil {
			t.Errorf("an ordinary form: %v %v", v, err)
		}
		if v, err := f.Look(ask(nil)); err != nil || v.Refused || v.Rules != nil {
			t.Errorf("without a body: %v %v", v, err)
		}
	}
}

// Level 1 and no higher: what only a higher level takes for an attack is none, and what adds up to less than the threshold
// is not told of.
func TestParanoiaIsOne(t *testing.T) {
	t.Parallel()
	f, err := New(true)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Request){
		"no User-Agent, which level 2 finds":      func(r *Request) { delete(r.Header, "User-Agent") },
		"a query that only level 2 finds":         func(r *Request) { r.URI += "?a=" + "!!!!!!!!!!!!!!!!" },
		"an address as the host, below threshold": func(r *Request) { r.Host = "192.0.2.1:8080" },
	} {
		r := ask(nil)
		change(&r)
		if v, err := f.Look(r); err != nil || v.Refused || len(v.Rules) > 0 {
			t.Errorf("%s: %v %v", what, v, err)
		}
	}
	for _, line := range []string{"tx.blocking_paranoia_level=1,", "tx.detection_paranoia_level=1,", "SecAuditEngine Off", "SecResponseBodyAccess Off"} {
		if !strings.Contains(directives, line) {
			t.Errorf("%s is not set", line)
		}
	}
}

// Many ask at once, each about its own, and a form is judged in memory: no file is left behind.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f, err := New(true)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			bad := i%2 == 0
			form := url.Values{"code": {"30003"}, "what": {strings.Repeat("é", 2<<10)}}
			if bad {
				form.Set("code", "<script>alert(1)</script>")
			}
			if v, err := f.Look(ask(form)); err != nil || v.Refused != bad {
				t.Errorf("%d: %v %v", i, v.Rules, err)
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
