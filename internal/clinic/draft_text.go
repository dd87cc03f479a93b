package clinic

import (
	"cmp"
	"slices"
	"strings"

	"countersign/internal/check"
)

// findings fills the view with a report as this viewer has to answer it.
func (v *DraftView) findings(r check.Report, k acks, viewer Actor) {
	given := k.anyone
	if viewer.Can(ReviewApprove) {
		given = k.mine
	}
	v.Words, v.Grade, v.Ran = r.Words, r.Grade, r.Ran
	v.Blocking = len(r.Blocking())
	v.Open = v.Blocking + len(r.Unanswered(given))
	for _, f := range r.Findings {
		out := Finding{Check: f.Check, Key: f.Key, Title: Text(f.Title), Detail: Text(f.Detail), Level: f.Level.String()}
		out.Answered = f.Level == check.Confirm && given[f.Key]
		if by, ok := k.by[f.Key]; ok {
			out.AnsweredBy, out.AnsweredAt = by.Name, by.At
		}
		for _, s := range f.Suggest {
			out.Suggest = append(out.Suggest, Text(s))
		}
		if len(f.Spans) > 0 {
			out.Start, out.End = f.Spans[0].Start, f.Spans[0].End
		}
		v.Findings = append(v.Findings, out)
	}
	used := map[string]bool{}
	for _, s := range r.Sentences {
		if s.Greeting {
			continue
		}
		v.Sentences++
		if len(s.Facts)+len(s.Points) > 0 {
			v.Grounded++
		}
		for _, id := range s.Facts {
			used[id] = true
		}
	}
	for i := range v.Brief.Facts {
		v.Brief.Facts[i].Used = used[v.Brief.Facts[i].ID]
	}
	v.Paragraphs = paragraphs(v.Text.Reveal(), r, given)
}

type markedSpan struct {
	start, end int
	mark, key  string
}

// markedSpans are the places that still want an answer, in order and without overlap: where two meet, the graver wins.
func markedSpans(text string, r check.Report, answered map[string]bool) []markedSpan {
	var spans []markedSpan
	for _, f := range r.Findings { // gravest first
		if f.Level == check.Info || answered[f.Key] {
			continue
		}
		for _, s := range f.Spans {
			free := s.Start >= 0 && s.End <= len(text) && s.Start < s.End
			for _, o := range spans {
				free = free && (s.End <= o.start || s.Start >= o.end)
			}
			if free {
				spans = append(spans, markedSpan{s.Start, s.End, f.Level.String(), f.Key})
			}
		}
	}
	slices.SortFunc(spans, func(a, b markedSpan) int { return cmp.Compare(a.start, b.start) })
	return spans
}

// paragraphs cuts the text at blank lines and at the findings' spans. Nothing of the text is lost.
func paragraphs(text string, r check.Report, answered map[string]bool) []Paragraph {
	spans := markedSpans(text, r, answered)
	var out []Paragraph
	at := 0
	for _, block := range strings.SplitAfter(text, "\n\n") {
		p := Paragraph{Pieces: pieces(text, at, at+len(block), spans)}
		at += len(block)
		if strings.TrimSpace(block) != "" {
			out = append(out, p)
		}
	}
	return out
}

// pieces cuts text[from:to] at the spans that reach into it.
func pieces(text string, from, to int, spans []markedSpan) []Piece {
	var out []Piece
	for _, s := range spans {
		start, end := max(s.start, from), min(s.end, to)
		if start >= end {
			continue
		}
		if start > from {
			out = append(out, Piece{Text: Text(text[from:start])})
		}
		out = append(out, Piece{Text: Text(text[start:end]), Mark: s.mark, Key: s.key})
		from = end
	}
	if from < to {
		out = append(out, Piece{Text: Text(text[from:to])})
	}
	return out
}
