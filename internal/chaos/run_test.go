package chaos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// briefTimes are the shortest that a busy machine still keeps.
var briefTimes = Times{Lease: 4 * time.Second, Provider: 1200 * time.Millisecond, StartWindow: 2 * time.Second, Reenqueue: 2 * time.Second,
	Relay: 500 * time.Millisecond, Reconcile: time.Second, Grace: 5 * time.Second, Again: time.Second, Breaker: 300 * time.Millisecond}

// built is the folder of the programs, if a test has asked for them.
var built string

// programs builds what a run starts, once for all tests: as shipped, and with faults seeded into it.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "chaos-bin-"); err != nil {
		return "", err
	}
	built = dir
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
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// atOnce keeps the runs from starving each other: what they prove is not that a machine has cores enough.
var atOnce = make(chan struct{}, 2)

func run(ctx context.Context, t *testing.T, out io.Writer, o Options) (Verdict, error) {
	t.Helper()
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
	for _, word := range []string{"seed 3", "lease 4s", "I1   ok", "I18  ok", "I19  ok", "I20  ok", "everything held"} {
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

// Two runs that begin at the same moment with the same seed write into folders of their own: their sandboxes would
// otherwise share one log.
func TestEvidenceOfItsOwn(t *testing.T) {
	t.Parallel()
	parent, first, second := t.TempDir(), &paper{}, &paper{}
	if err := errors.Join(first.openIn(parent, "seed-6"), second.openIn(parent, "seed-6")); err != nil || first.dir == second.dir {
		t.Errorf("%v: %q and %q", err, first.dir, second.dir)
	}
}

// A run that is broken off stops everything it started, frozen or not, and leaves nothing behind.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out heard
	out.each = func(text string) {
		if strings.Contains(text, "freeze worker-") { // in the midst of it
			cancel()
		}
	}
	_, err := run(ctx, t, &out, Options{For: time.Minute, Seed: 6})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the run ended with %v\n%s", err, out.String())
	}
	_, home, _ := strings.Cut(out.String(), "logs and data in ")
	home, _, _ = strings.Cut(home, "\n")
	if home == "" || strings.Contains(out.String(), "evidence:") {
		t.Errorf("the report is not as it should be:\n%s", out.String())
	}
	if _, err := os.Stat(home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its data is still there: %v", err)
	}
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("COUNTERSIGN_HOME="+home+"\x00")) {
			t.Errorf("%s still runs", filepath.Dir(path))
		}
	}
}

// heard calls back for whatever is written, and keeps it.
type heard struct {
	bytes.Buffer
	each func(string)
}

func (h *heard) Write(p []byte) (int, error) {
	h.each(string(p))
	return h.Buffer.Write(p)
}

func TestOptionsAreLookedAt(t *testing.T) {
	t.Parallel()
	for words, o := range map[string]Options{
		"production refuses": {For: time.Minute, Environ: []string{"APP_ENV=production"}},
		"staging refuses":    {For: time.Minute, Environ: []string{"APP_ENV=staging"}},
		"no seeded fault":    {For: time.Minute, Break: "coffee"},
		"a second at least":  {},
	} {
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want an error that says %q", err, words)
		}
	}
}

// The same seed gives the same schedule, another one another; each kind of fault comes, and some freezes outlast a lease.
func TestPlan(t *testing.T) {
	t.Parallel()
	plan, again, other := Plan(7, time.Minute, ShortTimes, 3, 2), Plan(7, time.Minute, ShortTimes, 3, 2), Plan(8, time.Minute, ShortTimes, 3, 2)
	if !reflect.DeepEqual(plan, again) || reflect.DeepEqual(plan, other) {
		t.Error("a plan is its seed's, and no other's")
	}
	count, outlasts, targets := map[string]int{}, 0, map[string]bool{}
	for i, f := range plan {
		count[f.Kind]++
		if f.Kind == FreezeWorker && f.For > ShortTimes.Lease {
			outlasts++
		}
		if i > 0 && f.At < plan[i-1].At || f.At >= time.Minute {
			t.Errorf("fault %d is planned for %s", i, f.At)
		}
		targets[f.String()] = true
	}
	for _, kind := range deck {
		if count[kind] < 2 {
			t.Errorf("%s comes %d times in a minute", kind, count[kind])
		}
	}
	if outlasts < 2 || len(plan) < 40 {
		t.Errorf("%d faults, %d freezes that outlast a lease", len(plan), outlasts)
	}
	for _, provider := range []string{sendgrid, twilio} {
		sum := 0.0
		for _, l := range plan[0].Lies[provider] {
			sum += l.Probability
		}
		if sum < 0.3 || sum > 0.91 {
			t.Errorf("%s lies with a probability of %.2f in all", provider, sum)
		}
	}
}
