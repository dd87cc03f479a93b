package check

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	bracketed = regexp.MustCompile(`\[[^\[\]\n]{0,80}\]+`)
	braced    = regexp.MustCompile(`\{+[^{}\n]{0,80}\}+`)
	angled    = regexp.MustCompile(`<<*/?[A-Za-z][A-Za-z _\-]{0,40}>>*`)
	ruled     = regexp.MustCompile(`_{3,}`)
	crossed   = regexp.MustCompile(`\b(?:[Xx]{3,}|XX/XX(?:/XX+)?|xx/xx(?:/xx+)?)\b`)
	asked     = regexp.MustCompile(`\?{3,}`)
	unwritten = newLexicon("tbd", "todo", "tbc", "lorem ipsum", "insert name|date|time|phone|number|dose|here|text", "your name here", "patient name here", "fill in name|date|dose|here")

	fenced  = regexp.MustCompile("```+|~~~+")
	heading = regexp.MustCompile(`(?m)^ {0,3}#{1,6} \S[^\n]*`)
	bold    = regexp.MustCompile(`\*\*[^*\n]+\*\*|__[^_\n]+__`)
	labels  = regexp.MustCompile(`(?m)^(?:Subject|Draft|Tone|Reading level|Maximum words|Word count|Age band|What happened|What to say|Extra instruction|Urgency|Specialty):`)
	marker  = regexp.MustCompile(`<<<BRIEF|BRIEF>>>`)

	modelTalk = newLexicon(
		"as an ai", "as a language|large ?language model", "i am|i'm an|a ai|chatbot|language ?model",
		"here is|are|'s a|the|my|your ?revised|updated|short|brief|suggested|patient draft|drafts|message|response|reply|rewrite|version|letter",
		"here's a|the|my|your ?revised|updated|short|brief|suggested|patient draft|message|response|reply|rewrite|version|letter",
		"revised|rewritten|updated draft|version ?of ?the ?message below|follows",
		"the|this provided|given information|brief|facts|details|context",
		"based on the provided|given|supplied information|brief|facts|details|context",
		"based on the information|brief|facts|details ?you provided|given|supplied",
		"according to the brief|prompt", "in the brief", "as per the brief|prompt|instructions",
		"let me know if you|you'd ?would like|want ?me ?to ?any changes|edits|adjustments|revisions|revise|adjust|rewrite|shorten|modify",
		"let me know if you'd|you like me to",
		"feel free to edit|modify|adjust|customize|tailor|personalize ?it|this|the ?message|draft",
		"my|your system prompt", "ignore previous|prior|all instructions", "my training data|cutoff",
		"i cannot|can't|can not provide medical advice", "i cannot|can't fulfill|fulfil|comply with ?this|that|your request",
		"end of draft|message", "word count", "reading level",
	)
)

// placeholders is C1: something was left to be filled in.
func placeholders(r *reading) ([]Finding, bool) {
	var spans []Span
	for _, p := range []struct {
		shape *regexp.Regexp
		needs string // a character without which the shape cannot be there
	}{{bracketed, "["}, {braced, "{"}, {angled, "<"}, {ruled, "_"}, {asked, "?"}, {crossed, "xX"}} {
		if strings.ContainsAny(r.Text, p.needs) {
			for _, m := range p.shape.FindAllStringIndex(r.Text, -1) {
				spans = append(spans, Span{m[0], m[1]})
			}
		}
	}
	for _, h := range unwritten.find(r.tokens) {
		spans = append(spans, h.span(r.tokens))
	}
	return r.perSpan(spans, Block, "Unfilled placeholder", "Fill this in or take it out."), true
}

// perSpan makes one finding for each different text among the spans.
func (r *reading) perSpan(spans []Span, level Level, title, detail string) []Finding {
	var all []Finding
	seen := map[string]int{}
	for _, s := range spans {
		matter := strings.ToLower(r.Text[s.Start:s.End])
		if i, ok := seen[matter]; ok {
			all[i].Spans = append(all[i].Spans, s)
			continue
		}
		seen[matter] = len(all)
		all = append(all, Finding{Level: level, Title: title, Detail: detail, Key: matter, Spans: []Span{s}})
	}
	return all
}

// chatter is C2: words by or to the model, and its markup.
func chatter(r *reading) ([]Finding, bool) {
	var spans []Span
	for _, p := range []struct {
		shape *regexp.Regexp
		needs string
	}{{fenced, "`~"}, {heading, "#"}, {bold, "*_"}, {labels, ":"}, {marker, "B"}} {
		if strings.ContainsAny(r.Text, p.needs) {
			for _, m := range p.shape.FindAllStringIndex(r.Text, -1) {
				spans = append(spans, Span{m[0], m[1]})
			}
		}
	}
	for _, h := range modelTalk.find(r.tokens) {
		spans = append(spans, h.span(r.tokens))
	}
	if s, ok := r.eagerOpening(); ok {
		spans = append(spans, s)
	}
	return r.perSpan(spans, Block, "Words that are not for the patient", "This reads like the model talking, or like its instructions. Take it out."), true
}

// eagerOpening finds a text that begins as an answer to an order: "Sure!",
// "Certainly, here …".
func (r *reading) eagerOpening() (Span, bool) {
	if len(r.tokens) < 2 {
		return Span{}, false
	}
	t := r.tokens[0]
	switch t.norm {
	case "sure", "certainly", "absolutely", "understood":
	default:
		return Span{}, false
	}
	after := strings.TrimLeftFunc(r.Text[t.end:], unicode.IsSpace)
	if strings.HasPrefix(after, "!") || r.tokens[1].norm == "here" || r.tokens[1].norm == "here's" {
		return Span{t.start, t.end}, true
	}
	return Span{}, false
}
