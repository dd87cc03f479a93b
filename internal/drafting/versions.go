package drafting

// PromptVersion is one version of the system text, named by its hash, and what changed with it in words for people.
type PromptVersion struct{ ID, Since, What string }

// PromptVersions are all that there were, the newest first. A test holds the first one to the text that is in use, so that no
// word of it changes without a line here.
func PromptVersions() []PromptVersion {
	return []PromptVersion{
		{"4c660f96c398", "2026-11-23", "The first one: plain words, only what the brief holds, tokens in place of names, the brief as data between markers, JSON only."},
	}
}

// CurrentPrompt is the version in use.
func CurrentPrompt() string { return version }
