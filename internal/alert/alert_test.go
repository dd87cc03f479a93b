package alert

import (
	"strings"
	"testing"
	"time"
)

// It fires after For evaluations over Fire, stays between the thresholds, and clears after Until at Clear or below.
func TestStep(t *testing.T) {
	t.Parallel()
	r := Rule{Fire: 10, Clear: 4, For: 3, Until: 2}
	state, run := None, 0
	for i, step := range []struct {
		value float64
		want  State
	}{
		{9.9, None}, {10, Pending}, {11, Pending}, {9, None}, // twice is not three times
		{10, Pending}, {10, Pending}, {10, Firing},
		{9, Firing}, {5, Firing}, {5, Firing}, {5, Firing}, // under the one threshold and over the other
		{4, Firing}, {5, Firing}, {4, Firing}, {0, Cleared},
	} {
		if state == Cleared {
			t.Fatal("cleared too early")
		}
		if state, run = r.Step(state, run, step.value); state != step.want {
			t.Fatalf("step %d, value %v: %q, want %q", i, step.value, state, step.want)
		}
	}
	if s, _ := (Rule{Fire: 1, For: 1, Until: 1}).Step(None, 0, 1); s != Firing {
		t.Error("a rule for one evaluation waits for another")
	}
}

// Each rule can fire and clear, tells what it measures and what to do, and has a name like a code.
func TestRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Rules {
		if seen[r.Name] || r.Name == "" || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("the name %q", r.Name)
		}
		seen[r.Name] = true
		if r.Fire <= r.Clear || r.For < 1 || r.Until < 1 {
			t.Errorf("%s: fires at %v, clears at %v, after %d and %d", r.Name, r.Fire, r.Clear, r.For, r.Until)
		}
		if r.Title == "" || r.What == "" || !strings.HasSuffix(r.Do, ".") {
			t.Errorf("%s has no words", r.Name)
		}
		if got, ok := Of(r.Name); !ok || got.Title != r.Title {
			t.Errorf("%s is not found", r.Name)
		}
	}
	if len(Rules) < 17 {
		t.Errorf("%d rules", len(Rules))
	}
	if _, ok := Of("nothing"); ok {
		t.Error("a rule that is not there is found")
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{"250 ms": Seconds.Words(.25), "15 s": Seconds.Words(15), "2 min": Seconds.Words(120), "2.5 h": Seconds.Words(9000),
		"1 %": Share.Words(.01), "0.1 %": Share.Words(.001), "26 h": Hours.Words(26.04), "7": Count.Words(7), "yes": On.Words(1), "no": On.Words(0)} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	r, _ := Of("queue_age")
	n := Notice{ID: "n", Alert: "a", Rule: r, Kind: Fired, Subject: "sms", Value: 300, Since: time.Unix(0, 0), At: time.Unix(300, 0)}
	subject, body := n.Letter("https://clinic.example", "production")
	for _, want := range []string{"sms", "5 min", "from 2 min, 2 minutes in a row", r.Do, "https://clinic.example/alerts", "section queue_age", "1 January 1970, 00:05 UTC"} {
		if !strings.Contains(body, want) {
			t.Errorf("the letter does not say %q:\n%s", want, body)
		}
	}
	if subject != "[Countersign production] Alert: Notices or drafts are late" {
		t.Errorf("the subject %q", subject)
	}
	n.Kind = Over
	if _, body := n.Letter("", ""); strings.Contains(body, r.Do) || !strings.Contains(body, "is over") {
		t.Errorf("a letter about the end: %s", body)
	}
	if e := n.Event("https://clinic.example"); e.Type != "alert.cleared" || e.Data.Rule != "queue_age" || e.Data.Threshold != 120 {
		t.Errorf("the event %+v", e)
	}
}
