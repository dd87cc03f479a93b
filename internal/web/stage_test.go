package web

import (
	"io/fs"
	"strings"
	"testing"

	countersign "countersign"
)

// Outside production every page says where one is: people's, strangers', patients', the one that needs no database, and mistakes'.
func TestBannerOnEveryPage(t *testing.T) {
	t.Parallel()
	for stage, words := range map[string]string{"local": "<b>Local</b>", "dev": "<b>Development</b>", "staging": "<b>Staging</b>", "production": ""} {
		s := newSite(t, func(c *Config) { c.Env = stage })
		doctor, stranger := s.as(t, s.world.Doctor), s.visitor(t)
		for _, page := range []struct {
			of *visitor
			at string
		}{{doctor, "/"}, {doctor, "/patients"}, {doctor, "/settings"}, {doctor, "/status"}, {doctor, "/sessions"}, {doctor, "/nowhere"},
			{stranger, "/sign-in"}, {stranger, "/signed-out"}, {stranger, "/m/abc"}, {stranger, "/nowhere"}} {
			body := page.of.get(page.at).Body.String()
			if !strings.Contains(body, "<!doctype html>") {
				t.Fatalf("%s is no page: %.200s", page.at, body)
			}
			if has := strings.Contains(body, `class="env"`); has != (words != "") || !strings.Contains(body, words) {
				t.Errorf("%s: the banner on %s is there: %v", stage, page.at, has)
			}
		}
	}
}

// No screen can be laid out without it: each layout has it.
func TestBannerInEveryLayout(t *testing.T) {
	t.Parallel()
	seen := map[name]bool{}
	for _, screen := range allScreens() {
		seen[screen.layout] = true
	}
	for layout := range seen {
		text, err := fs.ReadFile(countersign.Templates(), string(layout)+".html")
		if err != nil || !strings.Contains(string(text), `{{template "_env" .}}`) {
			t.Errorf("%s has no banner: %v", layout, err)
		}
	}
	if len(seen) < 3 {
		t.Errorf("only %d layouts were looked at", len(seen))
	}
}
