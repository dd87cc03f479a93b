package drafting

import "testing"

// Who changes a word of the prompt says what changed, so that people can tell its drafts from those before.
func TestThePromptInUseHasItsLine(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i, v := range PromptVersions() {
		if i == 0 && v.ID != CurrentPrompt() {
			t.Errorf("the system text is version %s now: write a line for it, above %s", CurrentPrompt(), v.ID)
		}
		if len(v.ID) != 12 || v.Since == "" || len(v.What) < 20 || seen[v.ID] {
			t.Errorf("the line of %q says too little, or is there twice", v.ID)
		}
		seen[v.ID] = true
	}
}

func TestPriceOf(t *testing.T) {
	t.Parallel()
	if p := PriceOf("gpt-4.1-mini"); p != (Price{Prompt: 400_000, Completion: 1_600_000, Known: true}) {
		t.Errorf("%+v", p)
	}
	if p := PriceOf("no-such"); p.Known {
		t.Errorf("%+v", p)
	}
}
