package local

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// emptyMeansOff are the variables for which a person may set the empty value and mean it. Elsewhere empty counts as not set.
var emptyMeansOff = []string{"SENTRY_DSN", "METRICS_TOKEN", "ALERT_EMAIL"}

// Environment is what children are started with: what the person set, and under it what we fill in. A filled value never replaces
// one of the person's, nor does it stand beside the person's NAME_FILE.
type Environment struct {
	values map[string]string
	person map[string]bool
}

// Setting is one variable and its value.
type Setting struct{ Name, Value string }

// NewEnvironment takes the person's environment in the form of os.Environ.
func NewEnvironment(environ []string) *Environment {
	e := &Environment{values: map[string]string{}, person: map[string]bool{}}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			e.values[name] = value
			e.person[name] = value != "" || slices.Contains(emptyMeansOff, name)
		}
	}
	return e
}

// Clone returns a copy that can be filled on its own.
func (e *Environment) Clone() *Environment {
	c := NewEnvironment(nil)
	for name, value := range e.values {
		c.values[name], c.person[name] = value, e.person[name]
	}
	return c
}

// Get returns the value of name, empty if there is none.
func (e *Environment) Get(name string) string { return e.values[name] }

// Has tells whether the person set name, by itself or as name_FILE.
func (e *Environment) Has(name string) bool { return e.person[name] || e.person[name+"_FILE"] }

// Fill gives name a value unless the person did.
func (e *Environment) Fill(name, value string) {
	if !e.Has(name) {
		e.values[name] = value
	}
}

// FillProvider fills in what a stand-in provider says about itself. If the person brought a key of their own for a provider, the
// stand-in's address is left out, so that a real key never goes to the stand-in.
func (e *Environment) FillProvider(settings []Setting) {
	for _, s := range settings {
		family, isAddress := strings.CutSuffix(s.Name, "_BASE_URL")
		if isAddress && (e.Has(family+"_API_KEY") || e.Has(family+"_AUTH_TOKEN")) {
			continue
		}
		e.Fill(s.Name, s.Value)
	}
}

// List returns all of it in the form of os.Environ, sorted by name.
func (e *Environment) List() []string {
	list := make([]string, 0, len(e.values))
	for name, value := range e.values {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// Filled returns as lines for a shell what was filled in beside what the person set, sorted by name.
func (e *Environment) Filled() string {
	var text strings.Builder
	for _, pair := range e.List() {
		if name, value, _ := strings.Cut(pair, "="); !e.person[name] {
			fmt.Fprintf(&text, "%s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		}
	}
	return text.String()
}

// ParseSettings reads NAME=value lines. Blank lines and lines beginning with # are skipped; «export » before a name and one pair
// of quotes around a value are taken off.
func ParseSettings(r io.Reader) ([]Setting, error) {
	var settings []Setting
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		text := strings.TrimPrefix(strings.TrimSpace(scanner.Text()), "export ")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("settings line %d is not NAME=value", n)
		}
		settings = append(settings, Setting{Name: name, Value: unquote(strings.TrimSpace(value))})
	}
	return settings, scanner.Err()
}

func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}
