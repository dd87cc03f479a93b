package road

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/axe.min.js
var axe string

// browser is one person's tab. Whatever its console complains of fails the test when the tab is closed.
type browser struct {
	t       testing.TB
	ctx     context.Context
	scripts bool
	mu      sync.Mutex
	console []string
	expects []string // what the console may complain of: a refusal that the test is about
}

// newBrowser opens an empty browser of its own: other people's cookies are not in it.
func newBrowser(t testing.TB, scripts bool) *browser {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		t.Fatal("CHROMIUM is not set: run the tests with make test, which finds or installs a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1360, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	b := &browser{t: t, ctx: ctx, scripts: scripts}
	chromedp.ListenTarget(ctx, b.listen)
	must(t, chromedp.Run(ctx, emulation.SetScriptExecutionDisabled(!scripts)))
	t.Cleanup(func() {
		cancel()
		closeTab()
		stop()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, line := range b.console {
			if slices.ContainsFunc(b.expects, func(words string) bool { return strings.Contains(line, words) }) {
				continue
			}
			t.Errorf("the browser's console: %s", line)
		}
	})
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			parts := []string{}
			for _, a := range e.Args {
				parts = append(parts, string(a.Value))
			}
			b.console = append(b.console, strings.Join(parts, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			b.console = append(b.console, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// do runs actions, each within 40 seconds, and says which page it stood on when one fails.
func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	for i, a := range actions {
		ctx, cancel := context.WithTimeout(b.ctx, 40*time.Second)
		err := chromedp.Run(ctx, a)
		cancel()
		if err != nil {
			b.shot("failed")
			b.t.Fatalf("step %d (%T) on %s: %v\n%s", i+1, a, b.at(), err, b.text("body"))
		}
	}
}

func (b *browser) visit(address string) { b.t.Helper(); b.do(chromedp.Navigate(address)) }

func (b *browser) at() string {
	var address string
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Location(&address))
	return address
}

// click presses what the selector finds; with goes, it then waits until the page's address holds that part.
func (b *browser) click(selector string, goes ...string) {
	b.t.Helper()
	b.until("a click on "+selector, func() bool { // a live page may swap the element away under the hand
		ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
		defer cancel()
		return chromedp.Run(ctx, chromedp.ScrollIntoView(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible)) == nil
	})
	for _, part := range goes {
		b.until("the address holds "+part, func() bool { return strings.Contains(b.at(), part) })
	}
}

// fill types into an empty or filled field as a person would.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).select()", selector), nil),
		chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

func (b *browser) see(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// has asks the page once, without waiting, and works with scripts off too.
func (b *browser) has(selector string) bool {
	var n []any
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	err := chromedp.Run(ctx, chromedp.Evaluate(fmt.Sprintf("Array.from(document.querySelectorAll(%q), () => 1)", selector), &n))
	return err == nil && len(n) > 0
}

func (b *browser) text(selector string) string {
	var text string
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Evaluate(fmt.Sprintf("(document.querySelector(%q) || {}).innerText || ''", selector), &text))
	return text
}

func (b *browser) until(what string, so func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(45 * time.Second); !so(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.shot("failed")
			b.t.Fatalf("waited for: %s\nat %s\n%s", what, b.at(), b.text("body"))
		}
	}
}

// page is what every page of the road must be: free of accessibility findings in both schemes. It keeps a picture.
func (b *browser) page(name string) {
	b.t.Helper()
	b.until("the page "+name, func() bool { return b.has("h1") })
	b.shot(name)
	if !b.scripts {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		for _, finding := range b.axe() {
			b.t.Errorf("axe on %s (%s): %s", name, scheme, finding)
		}
	}
	b.do(emulation.SetEmulatedMedia())
}

func (b *browser) axe() []string {
	b.t.Helper()
	var raw string
	b.do(chromedp.Evaluate(axe+"; true", nil), chromedp.Evaluate(
		`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ") + " " + n.failureSummary).join("; "))))`,
		&raw, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var findings []string
	must(b.t, json.Unmarshal([]byte(raw), &findings))
	return findings
}

func (b *browser) shot(name string) {
	folder := os.Getenv("ROAD_SHOTS")
	if folder == "" {
		return
	}
	var png []byte
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err == nil {
		file := strings.ReplaceAll(b.t.Name(), "/", "-") + "-" + name + ".png"
		_ = os.WriteFile(filepath.Join(folder, file), png, 0o600)
	}
}

func (b *browser) value(selector string) string {
	b.t.Helper()
	var text string
	b.do(chromedp.Value(selector, &text, chromedp.ByQuery))
	return text
}
