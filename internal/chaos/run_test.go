package chaos

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// briefTimes are the shortest that a busy machine still keeps.
var briefTimes = Times{Lease: 4 * time.Second, Provider: 1200 * time.Millisecond, StartWindow: 2 * time.Second, Reenqueue: 2 * time.Second,
	Relay: 500 * time.Millisecond, Reconcile: time.Second, Grace: 5 * time.Second}

// programs builds what a run starts, once for all tests: as shipped, and with faults seeded into it.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "chaos-bin-")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{{"-o", dir + "/", "countersign/cmd/web", "countersign/cmd/worker", "countersign/cmd/countersign"},
		{"-tags", "faultpoints", "-o", filepath.Join(dir, "faulty") + "/", "countersign/cmd/web", "countersign/cmd/worker"}} {
		if out, err := exec.Command("go", append([]string{"build", "-buildvcs=false"}, args...)...).CombinedOutput(); err != nil {
			return dir, errors.New(string(out))
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// atOnce keeps the runs from starving each other: what they prove is not that a machine has cores enough.
var atOnce = make(chan struct{}, 2)

func run(ctx context.Context, t *testing.T, out *bytes.Buffer, o Options) (Verdict, error) {
	t.Helper()
	if testing.Short() {
		t.Log("short: the run itself is left to make chaos")
	}
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	atOnce <- struct{}{}
	defer func() { <-atOnce }()
	o.Times, o.Rate, o.Bin, o.Out, o.Environ = briefTimes, 20, bin, out, os.Environ()
	return Run(ctx, o)
}

// Without a seeded fault everything holds, and nothing is left behind.
func TestNothingBroken(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v, err := run(t.Context(), t, &out, Options{For: 10 * time.Second, Seed: 3})
	if err != nil || v.Broken() || len(v.Results) != 20 {
		t.Errorf("%v, broken: %v %v\n%s", err, v.Names(), v.Unasked, out.String())
	}
	for _, word := range []string{"seed 3", "lease 4s", "I1   ok", "I18  not yet", "I19  not yet", "I20  ok", "everything held"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the report does not say %q:\n%s", word, out.String())
		}
	}
	if strings.Contains(out.String(), "evidence:") {
		t.Error("evidence is left of a run in which everything held")
	}
}

// Each seeded fault is noticed, by the invariant that it is about.
func TestSeededFaults(t *testing.T) {
	t.Parallel()
	for name, seeded := range Breaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			v, err := run(t.Context(), t, &out, Options{For: 12 * time.Second, Seed: 6, Break: name, Quiet: 20 * time.Second})
			if !errors.Is(err, ErrBroken) {
				t.Fatalf("the run ended with %v\n%s", err, out.String())
			}
			for _, want := range seeded.Names {
				if !slices.Contains(v.Names(), want) {
					t.Errorf("%s is not noticed, only %v\n%s", want, v.Names(), out.String())
				}
			}
			_, evidence, _ := strings.Cut(out.String(), "evidence: ")
			evidence = strings.TrimSpace(evidence)
			for _, file := range []string{"report.txt", "web-1.log", "worker-1.log", "postgres.log", "redis.log", "deliveries.ndjson", "audit_events.ndjson", "sandbox/log.ndjson"} {
				if info, err := os.Stat(filepath.Join(evidence, file)); err != nil || info.Size() == 0 && !strings.HasPrefix(file, "redis") {
					t.Errorf("the evidence %q has no %s", evidence, file)
				}
			}
			_ = os.RemoveAll(evidence)
		})
	}
}

// lines calls back for each line that is written, and keeps all.
type lines struct {
	bytes.Buffer
	each func(string)
}

func (l *lines) Write(p []byte) (int, error) {
	l.each(string(p))
	return l.Buffer.Write(p)
}
