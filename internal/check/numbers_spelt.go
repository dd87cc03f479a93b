package check

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	everyHours = regexp.MustCompile(`^q(\d{1,2})h(?:rs?)?$`)
	forSoLong  = regexp.MustCompile(`^x(\d{1,3})([a-z]*)$`)
)

// spelt reads what begins with a letter: twenty-five, half a tablet, twice a
// day, Tuesday, November 24, noon, bid.
func (l *lexer) spelt(t token) (quantity, bool) {
	if q, ok := l.frequency(t); ok {
		return q, true
	}
	if q, ok := l.calendar(t); ok {
		return q, true
	}
	switch t.norm {
	case "a", "an":
		return l.article(t)
	case "half":
		return l.half(t, 0.5), true
	case "noon", "midday", "midnight":
		l.at++
		minutes := 12 * 60
		if t.norm == "midnight" {
			minutes = 0
		}
		return quantity{start: t.start, end: t.end, kind: aTime, minutes: minutes}, true
	}
	if _, ok := smallNumbers[t.norm]; ok {
		return l.numberWords(t)
	}
	return quantity{}, false
}

// frequency reads the words for how often. "Daily" and its like satisfy "once
// a day" but are no number that would have to be in the brief.
func (l *lexer) frequency(t token) (quantity, bool) {
	times := quantity{start: t.start, end: t.end, unit: "time"}
	switch t.norm {
	case "twice", "bid", "thrice", "tid", "qid":
		times.raw = map[string]float64{"twice": 2, "bid": 2, "thrice": 3, "tid": 3, "qid": 4}[t.norm]
	case "once":
		if !l.nextIs(1, "a", "per", "daily", "every", "each", "weekly", "monthly", "nightly", "in") {
			return quantity{}, false
		}
		times.raw = 1
	case "daily", "nightly", "qd", "qday", "qhs", "bedtime", "weekly", "monthly", "every", "each":
		times.raw, times.soft = 1, true
	default:
		if m := forSoLong.FindStringSubmatch(t.norm); m != nil {
			return l.lasting(t, m[1], m[2]), true
		}
		m := everyHours.FindStringSubmatch(t.norm)
		if m == nil {
			return quantity{}, false
		}
		times.raw, _ = parseNumber(m[1])
		times.unit = "hour"
	}
	l.at++
	times.value = plainNumber(times.raw)
	return times, true
}

// lasting reads "x3d" and "x2 weeks".
func (l *lexer) lasting(t token, digits, suffix string) quantity {
	q := quantity{start: t.start, end: t.end, said: digits}
	q.raw, _ = parseNumber(digits)
	l.at++
	if suffix == "" {
		return l.withUnit(q)
	}
	if suffix == "d" {
		suffix = "days"
	}
	u, ok := unitOf(suffix)
	if ok {
		q.raw, q.unit = q.raw*u.factor, u.name
	}
	q.value = plainNumber(q.raw)
	return q
}

func (l *lexer) nextIs(ahead int, words ...string) bool {
	if l.at+ahead >= len(l.tokens) {
		return false
	}
	for _, w := range words {
		if l.tokens[l.at+ahead].norm == w {
			return true
		}
	}
	return false
}

// calendar reads weekdays, months and dates that begin with the month. "May",
// "March", "Sun" and "Sat" count only where they can be nothing else.
func (l *lexer) calendar(t token) (quantity, bool) {
	first, _ := utf8.DecodeRuneInString(l.text[t.start:])
	capital := unicode.IsUpper(first)
	if d, ok := weekdays[t.norm]; ok && capital && t.norm != "sun" && t.norm != "sat" {
		l.at++
		return quantity{start: t.start, end: t.end, kind: aWeekday, d: d}, true
	}
	m := months[t.norm]
	if m == 0 {
		return quantity{}, false
	}
	if l.at+1 < len(l.tokens) && len(l.text[t.end:l.tokens[l.at+1].start]) <= 2 {
		day := l.tokens[l.at+1]
		number := strings.TrimRight(day.norm, "sthndr")
		if v, ok := parseNumber(number); ok && len(number) <= 2 && v >= 1 && v <= 31 && v == float64(int(v)) {
			l.at += 2
			q := quantity{start: t.start, end: day.end, kind: aDate, m: m, d: int(v)}
			l.year(&q)
			return q, true
		}
	}
	firstWord := t.start == 0 || strings.TrimSpace(l.text[max(0, t.start-2):t.start]) != ""
	if ambiguous := t.norm == "may" || t.norm == "march" || t.norm == "mar"; !capital || ambiguous && (firstWord || !l.before("in", "of", "until", "by", "since", "next", "last", "this")) {
		return quantity{}, false
	}
	l.at++
	q := quantity{start: t.start, end: t.end, kind: aMonth, m: m}
	l.year(&q)
	return q, true
}

func (l *lexer) before(words ...string) bool {
	return l.at > 0 && l.nextIs(-1, words...)
}

// article reads "a week" and "an hour", which satisfy "1 week", and "a half".
func (l *lexer) article(t token) (quantity, bool) {
	if l.nextIs(1, "half") {
		l.at++
		return l.half(l.tokens[l.at], 0.5), true
	}
	if l.nextIs(1, "hundred", "thousand", "dozen", "million") {
		l.at++
		return l.numberWords(l.tokens[l.at])
	}
	if l.at+1 >= len(l.tokens) {
		return quantity{}, false
	}
	u, ok := unitOf(l.tokens[l.at+1].norm)
	if !ok {
		return quantity{}, false
	}
	l.at += 2
	return quantity{start: t.start, end: l.tokens[l.at-1].end, raw: u.factor, value: plainNumber(u.factor), unit: u.name, soft: true}, true
}

// half reads "half a tablet", "half of the tablet" and a half by itself.
func (l *lexer) half(t token, value float64) quantity {
	q := quantity{start: t.start, end: t.end, raw: value}
	l.at++
	for l.at < len(l.tokens) && l.nextIs(0, "a", "an", "of", "the", "your", "one", "each") {
		q.end = l.tokens[l.at].end
		l.at++
	}
	return l.withUnit(q)
}

// numberWords reads a number in words, to the thousands, with "and a half".
func (l *lexer) numberWords(t token) (quantity, bool) {
	total, part, words := 0.0, 0.0, 0
	q := quantity{start: t.start, end: t.end}
	for ; l.at < len(l.tokens); l.at++ {
		w := l.tokens[l.at]
		v, small := smallNumbers[w.norm]
		switch {
		case words > 0 && !l.near(q.end) && w.norm != "and":
			goto done
		case small && (words == 0 || joinsOn(part, v)):
			part += float64(v)
		case w.norm == "hundred":
			part = max(part, 1) * 100
		case w.norm == "thousand":
			total, part = total+max(part, 1)*1000, 0
		case w.norm == "and" && words > 0 && l.nextIs(1, "a") && l.nextIs(2, "half"):
			part += 0.5
			l.at += 2
			q.end = l.tokens[l.at].end
			l.at++
			goto done
		case w.norm == "and" && part >= 100 && l.at+1 < len(l.tokens) && isSmall(l.tokens[l.at+1].norm):
			q.end = w.end
			continue
		default:
			goto done
		}
		words++
		q.end = w.end
	}
done:
	q.raw = total + part
	if words == 1 && q.raw == 1 && l.nextIs(0, "half") {
		return l.half(l.tokens[l.at], 0.5).from(q.start), true
	}
	if l.at < len(l.tokens) && words > 0 {
		q = l.afterNumber(q)
	} else {
		q.value = plainNumber(q.raw)
	}
	// "One" alone is most often no number: one of us, this one.
	return q, !(words == 1 && q.raw == 1 && q.unit == "" && q.kind == aNumber)
}

func (q quantity) from(start int) quantity {
	q.start = start
	return q
}

func isSmall(word string) bool {
	_, ok := smallNumbers[word]
	return ok
}

// joinsOn says whether a number word continues the number so far: twenty-five
// and hundred five do, two three does not.
func joinsOn(part float64, next int) bool {
	n := int(part) % 100
	return n == 0 && part >= 100 || part == 0 || n >= 20 && n%10 == 0 && next < 10
}
