package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// againView is a form that could not be taken, to be sent once more: its fields come back hidden, behind one button.
// What was typed stands in that page and nowhere else.
type againView struct {
	Action string
	Fields []againField
}

type againField struct{ Name, Value string }

// typed is what a person typed into a form that could not be taken, field by field, as far as it can be read. For htmx it is
// nothing: its page still holds the words. A patient types a date and nothing else.
func (s *Server) typed(c *call) (all []string) {
	if c.route == nil || c.route.door == doorPatient || !c.route.hasForm() || c.isHTMX() || !c.readLate() {
		return nil
	}
	known := s.forms[c.route.path]
	for _, name := range slices.Sorted(maps.Keys(c.form.values)) {
		if f, ok := known[name]; ok && f.kind != fieldLine && f.kind != fieldArea {
			continue
		}
		for _, value := range c.form.values[name] {
			if value = strings.ToValidUTF8(strings.ReplaceAll(value, "\x00", ""), ""); strings.TrimSpace(value) != "" {
				all = append(all, value)
			}
		}
	}
	return all
}

// again is the form that a page without scripts sent. It is nil when nothing typed is in danger: nothing was sent, or
// htmx sent it, whose page still holds the words.
func (c *call) again() *againView {
	r := c.Request()
	if r.Method != http.MethodPost || c.isHTMX() || c.route == nil || c.route.door != doorStaff || strings.HasPrefix(c.route.path, pathBoard) {
		return nil
	}
	if !c.readLate() {
		return nil
	}
	v := &againView{Action: r.URL.Path}
	for _, name := range slices.Sorted(maps.Keys(c.form.values)) {
		for _, value := range c.form.values[name] {
			v.Fields = append(v.Fields, againField{name, value})
		}
	}
	return v
}

// readLate reads the form of a request that was refused before anybody looked at it. It says whether there is one.
func (c *call) readLate() bool {
	if c.form.values != nil {
		return true
	}
	f, err := readForm(c.Response(), c.Request())
	c.form = f
	return err == nil
}
