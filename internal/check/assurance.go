package check

import "slices"

// assurances are promises no one can keep. Instructions ("always take it with
// food", "never take two at once") are not among them.
var assurances = newLexicon(
	"nothing to worry about", "nothing ?at ?all to be worried|concerned ?about", "no need|reason|cause to worry", "no need|reason|cause to be worried|concerned|alarmed|afraid", "no need|reason|cause for worry|concern|alarm",
	"do not worry", "don't worry", "dont worry",
	"guarantee*", "definitely", "without ?a ?any doubt", "no doubt", "undoubtedly", "rest assured", "certain to", "sure to be fine|ok|okay",
	"100 safe|sure|certain|effective|percent", "completely|totally|entirely|perfectly|absolutely safe|harmless|fine|normal|healthy|cured|risk|painless",
	"no risk|risks|danger", "zero risk", "risk free", "no side effects", "never fails|fail", "always works|work", "cannot|can't hurt|harm you",
	"you|you'll|he|she|it|it'll|everything ?will be ?just|all|perfectly|absolutely fine|ok|okay|alright", "will be as good as new",
	"will cure", "is cured|impossible", "you are|you're ?now cured", "no chance", "cannot possibly", "can't possibly", "nothing is|'s wrong", "nothing serious", "promise you|that",
)

var hedges = []string{"not", "cannot", "can't", "isn't", "don't", "won't", "doesn't", "aren't", "never", "no", "nobody", "hardly", "if", "whether"}

// falseAssurance is C12: absolutes and reassurance beyond what can be known.
func falseAssurance(r *reading) ([]Finding, bool) {
	var all []Finding
	for _, h := range assurances.find(r.tokens) {
		if r.hedged(h.from) {
			continue
		}
		all = append(all, Finding{Level: Confirm, Key: r.wordsAt(h.from, h.to-h.from+2), Spans: []Span{h.span(r.tokens)},
			Title:  "A promise no one can make",
			Detail: "Say what is likely and what to watch for, or confirm that this is meant as it stands."})
	}
	return all, r.english()
}

// hedged says whether the words at i are denied or asked rather than said: "we
// cannot guarantee", "if you are not completely fine".
func (r *reading) hedged(i int) bool {
	for j := i - 1; j >= max(0, i-5) && r.tokens[j].sentence == r.tokens[i].sentence; j-- {
		if slices.Contains(hedges, r.tokens[j].norm) {
			return true
		}
	}
	return false
}
