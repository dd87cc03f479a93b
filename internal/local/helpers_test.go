package local

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// transcript collects what a console or a child wrote.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// testFolder is a folder that the servers' account can reach, which t.TempDir is not when we are root.
func testFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "countersign-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testHome(t *testing.T, dir string) *Home {
	t.Helper()
	home, err := OpenHome(filepath.Join(dir, "home"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(home.Close)
	return home
}

// testRunner has a home of its own unless given one. deaths receives what the runner reports.
func testRunner(t *testing.T, home *Home) (r *Runner, deaths chan error, said *transcript) {
	t.Helper()
	if home == nil {
		home = testHome(t, testFolder(t))
	}
	said, deaths = &transcript{}, make(chan error, 16)
	r = NewRunner(NewConsole(said, NewEnvironment(nil)), home, func(err error) { deaths <- err })
	t.Cleanup(r.Stop)
	return r, deaths, said
}

// startScript starts a shell script and waits until it has said «up».
func startScript(t *testing.T, r *Runner, name, script string, stopBy time.Duration) *Process {
	t.Helper()
	said := &transcript{}
	p, err := r.Start(Spec{Name: name, Args: []string{"sh", "-c", script}, Env: os.Environ(), Output: said, StopBy: stopBy})
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(context.Background(), 20*time.Second, func(context.Context) error {
		if strings.Contains(said.String(), "up\n") {
			return nil
		}
		return errSlow
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// within waits for a channel to be closed or to give something.
func within[T any](t *testing.T, what string, ch <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
	return value
}

func mustContain(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}
