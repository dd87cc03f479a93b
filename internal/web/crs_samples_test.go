package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"github.com/goccy/go-yaml"
)

// crsFile is one of the core rule set's own files of regression tests.
type crsFile struct {
	Rule  int `yaml:"rule_id"`
	Tests []struct {
		ID     int        `yaml:"test_id"`
		Stages []crsStage `yaml:"stages"`
	} `yaml:"tests"`
}

// crsStage is one request of such a test, and the rules that have to find something in it.
type crsStage struct {
	Input struct {
		Method  string            `yaml:"method"`
		URI     string            `yaml:"uri"`
		Headers map[string]string `yaml:"headers"`
		Data    string            `yaml:"data"`
	} `yaml:"input"`
	Output struct {
		Log struct {
			Expect []int `yaml:"expect_ids"`
		} `yaml:"log"`
	} `yaml:"output"`
}

// crsSample is an attack of theirs as it is sent here.
type crsSample struct {
	name  string
	class int // the rules' first three digits
	rules []int
	crsStage
}

// crsClasses are those that the filter promises to stop: traversal, commands, cross-site scripting, SQL injection.
var crsClasses = map[int]string{930: "path traversal", 932: "commands", 941: "cross-site scripting", 942: "SQL injection"}

// crsSamples are all requests in which a rule of paranoia level 1 of the four classes has to find something.
func crsSamples(t testing.TB) (all []crsSample) {
	t.Helper()
	first := levelOneRules(t)
	names, err := fs.Glob(tests.FS, "REQUEST-9*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(tests.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var file crsFile
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(name, err)
		}
		class, _ := strconv.Atoi(strings.TrimPrefix(path.Dir(name), "REQUEST-")[:3])
		if crsClasses[class] == "" {
			continue
		}
		for _, test := range file.Tests {
			for i, stage := range test.Stages {
				rules := slices.DeleteFunc(slices.Clone(stage.Output.Log.Expect), func(id int) bool { return !first[id] })
				if len(rules) > 0 {
					all = append(all, crsSample{fmt.Sprintf("%d-%d.%d", file.Rule, test.ID, i+1), class, rules, stage})
				}
			}
		}
	}
	return all
}

var ruleOrLevel = regexp.MustCompile(`\bid:(\d+),|paranoia-level/(\d)`)

// levelOneRules are the numbers of the rules that paranoia level 1 runs.
func levelOneRules(t testing.TB) map[int]bool {
	t.Helper()
	names, err := fs.Glob(coreruleset.FS, "@owasp_crs/REQUEST-9*.conf")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	first := map[int]bool{}
	for _, name := range names {
		text, err := fs.ReadFile(coreruleset.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		id := 0
		for _, found := range ruleOrLevel.FindAllSubmatch(text, -1) {
			if len(found[1]) > 0 {
				id, _ = strconv.Atoi(string(found[1]))
			} else {
				first[id] = string(found[2]) == "1"
			}
		}
	}
	return first
}

// The pages of ours to which the samples go: those of the rule set's own test server are called /get and /post.
const crsLook, crsForm = "/deliveries", "/deliveries/preview"

// bytes is the sample as it goes over the socket, to one of our pages where it does not name a page itself. What the rule set's
// authors wrote down as a form is one, with the escapes that a browser makes.
func (s crsSample) bytes() string {
	in, target, body := s.Input, s.Input.URI, s.Input.Data
	if path, query, _ := strings.Cut(target, "?"); path == "" || path == "/get" || strings.HasPrefix(path, "/post") {
		target = crsLook
		if in.Method == http.MethodPost {
			target = crsForm
		}
		if query != "" {
			target += "?" + query
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nConnection: close\r\n", in.Method, strings.ReplaceAll(target, " ", "%20"))
	for name, value := range in.Headers {
		if !slices.Contains([]string{"Connection", "Content-Length", "Content-Type"}, http.CanonicalHeaderKey(name)) {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", s.kind())
		if strings.HasPrefix(s.kind(), urlEncoded) {
			body = asSent(body)
		}
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

func (s crsSample) kind() string {
	for name, value := range s.Input.Headers {
		if strings.EqualFold(name, "Content-Type") {
			return value
		}
	}
	return urlEncoded
}

// asSent is a form as a browser sends it.
func asSent(data string) string {
	if _, err := url.ParseQuery(data); err == nil {
		return data
	}
	parts := strings.Split(data, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		parts[i] = url.QueryEscape(name) + "=" + url.QueryEscape(value)
	}
	return strings.Join(parts, "&")
}

// said is what the sample says in its query and its form: names and values.
func (s crsSample) said() (all []string) {
	_, query, _ := strings.Cut(s.Input.URI, "?")
	form := ""
	if strings.HasPrefix(s.kind(), urlEncoded) {
		form = s.Input.Data
	}
	for _, text := range []string{query, form} {
		parsed, err := url.ParseQuery(asSent(text))
		if err != nil {
			continue // the rules are shown no query or form that cannot be read
		}
		for name, values := range parsed {
			all = append(append(all, values...), name)
		}
	}
	return slices.DeleteFunc(all, func(text string) bool { return text == "" })
}
