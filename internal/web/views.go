package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template/parse"
)

// name is a template's path under templates/, without .html. All of them are in screens.go.
type name string

// screen is a page: its own file, which defines "content", inside a layout.
type screen struct{ page, layout name }

// views are the templates, parsed once. A partial is executed from parts, a page from its own set.
type views struct {
	parts *template.Template
	pages map[screen]*template.Template
}

const contentName = "content"

// newViews parses every file and checks both ways: what the code names exists, and what exists is named by the code or
// by another template. It also escapes each of them once, so that a template html/template would refuse stops the boot
// and not a request.
func newViews(files fs.FS, funcs template.FuncMap, screens []screen, parts []name) (*views, error) {
	texts, err := readTemplates(files)
	if err != nil {
		return nil, err
	}
	v := &views{parts: template.New("").Funcs(funcs), pages: map[screen]*template.Template{}}
	for n, text := range texts {
		if isPage(n, screens) {
			continue
		}
		if _, err := v.parts.New(string(n)).Parse(text); err != nil {
			return nil, err
		}
	}
	for _, s := range screens {
		text, ok := texts[s.page]
		if !ok {
			return nil, fmt.Errorf("the code names %s.html, which is not there", s.page)
		}
		set, err := v.parts.Clone()
		if err != nil {
			return nil, err
		}
		if _, err := set.New(string(s.page)).Parse(text); err != nil {
			return nil, err
		}
		if set.Lookup(contentName) == nil || set.Lookup(string(s.layout)) == nil {
			return nil, fmt.Errorf("%s.html does not define %q, or its layout %q is not there", s.page, contentName, s.layout)
		}
		v.pages[s] = set
	}
	return v, errors.Join(v.unnamed(texts, screens, parts), v.escape(screens, parts))
}

func readTemplates(files fs.FS) (map[name]string, error) {
	texts := map[name]string{}
	err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if path.Ext(file) != ".html" {
			return fmt.Errorf("%s is not a template", file)
		}
		text, err := fs.ReadFile(files, file)
		texts[name(strings.TrimSuffix(file, ".html"))] = string(text)
		return err
	})
	return texts, err
}

func isPage(n name, screens []screen) bool {
	return slices.ContainsFunc(screens, func(s screen) bool { return s.page == n })
}

// unnamed complains about files that nothing leads to, and about names that lead to no file.
func (v *views) unnamed(texts map[name]string, screens []screen, parts []name) error {
	named := map[name]bool{}
	for _, s := range screens {
		named[s.page], named[s.layout] = true, true
	}
	for _, p := range parts {
		named[p] = true
		if _, ok := texts[p]; !ok {
			return fmt.Errorf("the code names %s.html, which is not there", p)
		}
	}
	sets := []*template.Template{v.parts}
	for _, set := range v.pages {
		sets = append(sets, set)
	}
	for _, set := range sets {
		for _, t := range set.Templates() {
			if t.Tree != nil && t.Tree.Root != nil {
				eachCall(t.Tree.Root, func(called string) { named[name(called)] = true })
			}
		}
	}
	var errs []error
	for n := range texts {
		if !named[n] {
			errs = append(errs, fmt.Errorf("nothing names %s.html", n))
		}
	}
	return errors.Join(errs...)
}

// eachCall finds {{template "x"}} anywhere below a node.
func eachCall(n parse.Node, call func(string)) {
	switch n := n.(type) {
	case *parse.TemplateNode:
		call(n.Name)
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				eachCall(child, call)
			}
		}
	case *parse.IfNode:
		eachCall(n.List, call)
		eachCall(n.ElseList, call)
	case *parse.RangeNode:
		eachCall(n.List, call)
		eachCall(n.ElseList, call)
	case *parse.WithNode:
		eachCall(n.List, call)
		eachCall(n.ElseList, call)
	}
}

// escape runs each template once on nothing. That fails at the first field, which is fine; what html/template cannot
// make safe fails before it, which is not.
func (v *views) escape(screens []screen, parts []name) error {
	var errs []error
	try := func(t *template.Template, n string) {
		var unsafe *template.Error
		if err := t.ExecuteTemplate(io.Discard, n, nil); errors.As(err, &unsafe) {
			errs = append(errs, err)
		}
	}
	for _, s := range screens {
		try(v.pages[s], string(s.layout))
		try(v.pages[s], contentName)
	}
	for _, p := range parts {
		try(v.parts, string(p))
	}
	return errors.Join(errs...)
}

// writeTo executes one template of a set into w.
func (v *views) writeTo(w *bytes.Buffer, s screen, what name, data *Page) error {
	set := v.parts
	if s != (screen{}) {
		set = v.pages[s]
	}
	return set.ExecuteTemplate(w, string(what), data)
}
