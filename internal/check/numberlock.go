package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// numberLock is C4: every number, dose, date, time and phone of the text must
// stand in the brief, in the sign-off or among the clinic's own numbers.
func numberLock(r *reading) ([]Finding, bool) {
	known := r.knownNumbers()
	findings := map[string]*Finding{}
	var order []string
	listed := 0
	for _, q := range r.numbers {
		if r.listMarker(q, &listed) || q.soft || known.holds(q, r.Now) || r.partOfWhen(q, known) {
			continue
		}
		matter := r.matter(q)
		f, ok := findings[matter]
		if !ok {
			f = &Finding{Level: Confirm, Key: matter, Suggest: known.like(q),
				Title:  "“" + r.Text[q.start:q.end] + "” is not in the brief",
				Detail: "Check it against the record, or change it to what the brief says."}
			findings[matter] = f
			order = append(order, matter)
		}
		f.Spans = append(f.Spans, Span{q.start, q.end})
	}
	all := make([]Finding, 0, len(order))
	for _, m := range order {
		all = append(all, *findings[m])
	}
	return all, true
}

// listMarker says whether a number is the "2." before an item of a list that
// counts up from 1.
func (r *reading) listMarker(q quantity, listed *int) bool {
	lineStart := strings.TrimRight(r.Text[:q.start], " \t")
	if q.kind != aNumber || q.unit != "" || lineStart != "" && !strings.HasSuffix(lineStart, "\n") {
		return false
	}
	after := r.Text[q.end:]
	marked := len(after) > 1 && (after[0] == '.' || after[0] == ')') && after[1] == ' '
	if !marked || q.raw != float64(*listed+1) {
		return false
	}
	*listed++
	return true
}

// partOfWhen says whether a bare number is the hour or the day of a time or date
// of the brief and is used as one: "at 9", "the 24th".
func (r *reading) partOfWhen(q quantity, known *numberSet) bool {
	if q.kind != aNumber || q.unit != "" || q.token == 0 {
		return false
	}
	switch r.tokens[q.token-1].norm {
	case "the":
		return known.plain["d:"+q.value]
	case "at", "by", "before", "after", "until", "from", "between", "and", "to":
		return known.plain["h:"+q.value]
	}
	return false
}

// matter names a quantity for its key. A bare number is told apart by the words
// beside it, so that an acknowledged 7 does not excuse another 7.
func (r *reading) matter(q quantity) string {
	base := fmt.Sprintf("%d %s %s %d-%d-%d %d", q.kind, q.value, q.unit, q.y, q.m, q.d, q.minutes)
	if q.kind != aNumber || q.unit != "" {
		return base
	}
	end := q.token
	for end < len(r.tokens) && r.tokens[end].start < q.end {
		end++
	}
	return base + "|" + r.wordsAt(q.token-1, min(1, q.token)) + "|" + r.wordsAt(end, 1)
}

// numberSet is what a text may say: the normal forms of a brief's quantities.
type numberSet struct {
	plain  map[string]bool
	phones []string
	dates  []quantity
	times  []quantity
	byUnit map[string][]string // as written, for suggestions
}

func (r *reading) knownNumbers() *numberSet {
	if r.known != nil {
		return r.known
	}
	s := &numberSet{plain: map[string]bool{}, byUnit: map[string][]string{}}
	for _, field := range append(r.Brief.fields(), r.SignOff, r.Brief.Urgency) {
		s.add(field)
	}
	for _, n := range r.AllowedNumbers {
		s.add(n)
	}
	r.known = s
	return s
}

// fields lists every text of the brief.
func (b Brief) fields() []string {
	all := append([]string{b.Inquiry, b.Summary, b.History, b.Medications, b.Allergies, b.Notes}, b.Points...)
	for _, f := range b.Facts {
		all = append(all, f.Text)
	}
	return all
}

func (s *numberSet) add(text string) {
	if text == "" {
		return
	}
	for _, q := range quantities(text, tokenize(text)) {
		s.addOne(q)
		for _, other := range q.or {
			s.addOne(other)
		}
		if q.unit != "" && !q.soft {
			raw := text[q.start:q.end]
			if list := s.byUnit[q.unit]; !slices.Contains(list, raw) && len(list) < 3 {
				s.byUnit[q.unit] = append(list, raw)
			}
		}
	}
}

func (s *numberSet) addOne(q quantity) {
	switch q.kind {
	case aNumber:
		s.plain["n:"+q.value+" "+q.unit] = true
		if !q.soft {
			s.plain["n:"+q.value], s.plain["n:"+q.said] = true, true
		}
	case aPair:
		high, low, _ := strings.Cut(q.value, "/")
		s.plain["p:"+q.value], s.plain["n:"+high], s.plain["n:"+low] = true, true, true
	case aPhone:
		s.phones = append(s.phones, lastTen(q.value))
	case aTime:
		s.times = append(s.times, q)
		s.plain["h:"+plainNumber(float64((q.minutes/60+11)%12+1))] = true
	default:
		s.dates = append(s.dates, q)
		if q.kind == aDate {
			s.plain["d:"+strconv.Itoa(q.d)] = true
		}
		if q.y > 0 {
			s.plain["n:"+strconv.Itoa(q.y)] = true
		}
		for _, other := range q.or {
			s.addOne(other)
		}
	}
}

func lastTen(digits string) string {
	return digits[max(0, len(digits)-10):]
}

func (s *numberSet) holds(q quantity, now time.Time) bool {
	for _, other := range q.or {
		if s.holds(other, now) {
			return true
		}
	}
	switch q.kind {
	case aNumber:
		if q.unit == "" {
			return s.plain["n:"+q.value]
		}
		return s.plain["n:"+q.value+" "+q.unit]
	case aPair:
		return s.plain["p:"+q.value]
	case aPhone:
		return slices.Contains(s.phones, lastTen(q.value))
	case aTime:
		return slices.ContainsFunc(s.times, q.sameTime)
	}
	return slices.ContainsFunc(s.dates, func(d quantity) bool { return q.sameDay(d, now) })
}

func (q quantity) sameTime(o quantity) bool {
	if q.halfDay || o.halfDay {
		return q.minutes%720 == o.minutes%720
	}
	return q.minutes%1440 == o.minutes%1440
}

// sameDay says whether a date of the brief holds what the text says of a day.
func (q quantity) sameDay(known quantity, now time.Time) bool {
	year := q.y == 0 || known.y == 0 || q.y == known.y
	switch q.kind {
	case aWeekday:
		return known.kind == aWeekday && known.d == q.d || known.kind == aDate && known.weekday(now) == q.d
	case aMonth:
		return known.kind != aWeekday && known.m == q.m && year
	default:
		return known.kind == aDate && known.m == q.m && known.d == q.d && year
	}
}

// weekday gives the weekday of a date; without a year, of the one nearest now.
func (q quantity) weekday(now time.Time) int {
	if q.y > 0 {
		return int(time.Date(q.y, time.Month(q.m), q.d, 12, 0, 0, 0, time.UTC).Weekday())
	}
	if now.IsZero() {
		return -1
	}
	best := time.Time{}
	for y := now.Year() - 1; y <= now.Year()+1; y++ {
		day := time.Date(y, time.Month(q.m), q.d, 12, 0, 0, 0, time.UTC)
		if best.IsZero() || day.Sub(now).Abs() < best.Sub(now).Abs() {
			best = day
		}
	}
	return int(best.Weekday())
}

// like offers what the brief says in the same unit, when it is at most two.
func (s *numberSet) like(q quantity) []string {
	if list := s.byUnit[q.unit]; q.kind == aNumber && q.unit != "" && len(list) <= 2 {
		return list
	}
	return nil
}
