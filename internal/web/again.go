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

// again is the form that a page without scripts sent. It is nil when nothing typed is in danger: nothing was sent, or
// htmx sent it, whose page still holds the words.
func (c *call) again() *againView {
	r := c.Request()
	if r.Method != http.MethodPost || c.isHTMX() || c.route == nil || c.route.door != doorStaff || strings.HasPrefix(c.route.path, pathBoard) {
		return nil
	}
	if c.form.values == nil { // refused before the form was looked at
		f, err := readForm(c.Response(), r)
		if err != nil {
			return nil
		}
		c.form = f
	}
	v := &againView{Action: r.URL.Path}
	for _, name := range slices.Sorted(maps.Keys(c.form.values)) {
		for _, value := range c.form.values[name] {
			v.Fields = append(v.Fields, againField{name, value})
		}
	}
	return v
}
