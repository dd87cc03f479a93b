package clinic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"countersign/internal/check"
)

func TestReplyMeans(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"STOP": "out", "stop": "out", " Stop. ": "out", "STOPALL": "out", "unsubscribe": "out", "Cancel": "out", "end": "out", "QUIT": "out", "revoke": "out",
		"opt out": "out", "OPT  OUT!": "out", "stop\r\n": "out", "START": "in", "yes": "in", "Unstop": "in",
		"": "", "please stop calling": "", "stop it": "", "HELP": "", "no": "", "yes please": "", "stopped": "", "OPTOUT": "",
	} {
		if got := replyMeans(words); got != want {
			t.Errorf("%q means %q, want %q", words, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for attempt, most := range map[int32]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 4: 40 * time.Second, 8: 10 * time.Minute, 1000: 10 * time.Minute} {
		for range 50 {
			if d := backoff(attempt, 0); d < most/2 || d > most {
				t.Errorf("after attempt %d: %s, want %s to %s", attempt, d, most/2, most)
			}
		}
	}
	if d := backoff(1, 7*time.Minute); d != 7*time.Minute {
		t.Errorf("the provider asked for 7 minutes, we wait %s", d)
	}
	if d := backoff(1, 48*time.Hour); d != time.Hour {
		t.Errorf("a Retry-After of two days becomes %s", d)
	}
}

func TestCodesAndKeysAreBounded(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"21610": "21610", "": "", "http_503": "http_503", "gpt-4.1-mini": "gpt-4.1-mini", "Rosa Delgado": "other", "a\x00b": "other",
		strings.Repeat("9", 41): "other", "é": "other"} {
		if got := codeOf(in); got != want {
			t.Errorf("codeOf(%q) is %q", in, got)
		}
	}
	for _, in := range []string{strings.Repeat("k", 5000), "\xff", "a\x00"} {
		if got := keyOf(in); len(got) != 64 || keyOf(in) != got {
			t.Errorf("keyOf gives %q", got)
		}
	}
	if keyOf("SM1.filter") != "SM1.filter" {
		t.Error("a usual key was changed")
	}
}

// Nothing of the text is lost, marks lie on the findings' spans, and an answered finding leaves none.
func TestParagraphsKeepEveryByte(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab é\n\n.")))
		s := text.Draw(t, "text")
		var r check.Report
		for range rapid.IntRange(0, 5).Draw(t, "findings") {
			a, b := rapid.IntRange(-1, len(s)+1).Draw(t, "start"), rapid.IntRange(-1, len(s)+1).Draw(t, "end")
			r.Findings = append(r.Findings, check.Finding{Key: fmt.Sprint(a, b), Level: check.Level(rapid.IntRange(0, 2).Draw(t, "level")), Spans: []check.Span{{Start: a, End: b}}})
		}
		answered := map[string]bool{}
		if len(r.Findings) > 0 {
			answered[r.Findings[0].Key] = rapid.Bool().Draw(t, "answered")
		}
		var out strings.Builder
		for _, p := range paragraphs(s, r, answered) {
			for _, piece := range p.Pieces {
				out.WriteString(piece.Text.Reveal())
				if (piece.Mark == "") != (piece.Key == "") || answered[piece.Key] {
					t.Fatalf("a piece is marked %q for %q", piece.Mark, piece.Key)
				}
			}
		}
		if strip := strings.NewReplacer("\n", "", " ", ""); strip.Replace(out.String()) != strip.Replace(s) {
			t.Fatalf("%q became %q", s, out.String())
		}
	})
}

func TestParagraphsMarkTheWords(t *testing.T) {
	t.Parallel()
	text := "One two three.\n\nFour five."
	r := check.Report{Findings: []check.Finding{
		{Key: "stop", Level: check.Block, Spans: []check.Span{{Start: 4, End: 7}}},
		{Key: "ask", Level: check.Confirm, Spans: []check.Span{{Start: 0, End: 7}, {Start: 16, End: 20}}},
		{Key: "info", Level: check.Info, Spans: []check.Span{{Start: 21, End: 25}}},
	}}
	got := ""
	for _, p := range paragraphs(text, r, nil) {
		for _, x := range p.Pieces {
			got += fmt.Sprintf("<%s|%s>", x.Mark, strings.TrimSpace(x.Text.Reveal()))
		}
		got += "/"
	}
	if want := "<|One><stop|two><|three.>/<ask|Four><|five.>/"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		kind Kind
	}{
		"a refusal, wrapped": {fmt.Errorf("deed: %w", refuse(Conflict, "x", "y")), Conflict},
		"connection refused": {&pgconn.ConnectError{}, Unavailable},
		"admin shutdown":     {&pgconn.PgError{Code: "57P01"}, Unavailable},
		"too many clients":   {&pgconn.PgError{Code: "53300"}, Unavailable},
		"a standby":          {&pgconn.PgError{Code: "25006"}, Unavailable},
		"cut off":            {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), Unavailable},
		"a deadline":         {context.DeadlineExceeded, Unavailable},
		"a cancelled query":  {&pgconn.PgError{Code: "57014"}, Internal},
		"a constraint":       {&pgconn.PgError{Code: "23505"}, Internal},
		"anything":           {errors.New("Rosa Delgado"), Internal},
	} {
		if got := KindOf(tc.err); got != tc.kind {
			t.Errorf("%s is kind %d, want %d", name, got, tc.kind)
		}
		if s := Sentence(tc.err); s == "" || strings.Contains(s, "Rosa") || strings.Contains(Code(tc.err), "Rosa") {
			t.Errorf("%s: sentence %q, code %q", name, s, Code(tc.err))
		}
	}
}

func TestStateWordsAreComplete(t *testing.T) {
	t.Parallel()
	for state := range ranks {
		if stepTitle(state) == "" || deliveryLevel(state) == "" {
			t.Errorf("%s has no words or no level", state)
		}
	}
	for _, state := range []string{"queued", "sending", "unknown", "needs_person", "failed", "refused", "cancelled", "expired"} {
		if stepTitle(state) == "" {
			t.Errorf("%s has no words", state)
		}
	}
}
