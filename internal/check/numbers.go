package check

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

type quantityKind int

const (
	aNumber quantityKind = iota
	aPair                // 120/80
	aDate                // a day of a month, perhaps of a year
	aMonth
	aWeekday
	aTime // of day
	aPhone
)

// quantity is a number as it stands in a text, made comparable.
type quantity struct {
	start, end int
	token      int // the first token
	kind       quantityKind
	value      string // plain number, "120/80", or a phone's digits
	unit       string // empty for a bare number
	raw        float64
	said       string     // the number as written, before its unit was converted
	y, m, d    int        // aDate and aMonth; y 0 = unsaid. aWeekday: d
	minutes    int        // aTime: since midnight
	halfDay    bool       // aTime: am or pm unsaid
	soft       bool       // satisfies, but is never asked for ("daily", "a week")
	or         []quantity // other readings of the same characters
}

var (
	phoneShape  = regexp.MustCompile(`^(?:\+?\d{1,3}[ .\-]?)?(?:\(\d{3}\) ?|\d{3}[ .\-]?)\d{3}[ .\-]?\d{4}`)
	localShape  = regexp.MustCompile(`^\d{3}[.\-]\d{4}`)
	worldShape  = regexp.MustCompile(`^\+\d(?:[ .\-]?\(?\d{1,4}\)?){2,6}`)
	isoShape    = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})`)
	slashShape  = regexp.MustCompile(`^(\d{1,3})([/.\-])(\d{1,3})(?:([/.\-])(\d{4}|\d{2}))?`)
	clockShape  = regexp.MustCompile(`^([01]?\d|2[0-4])(?::([0-5]\d))?(?:\s?([aApP])(?:\.[mM]\.?|[mM]\b)|([aApP])\b)`)
	hourShape   = regexp.MustCompile(`^([01]?\d|2[0-3]):([0-5]\d)`)
	numberShape = regexp.MustCompile(`^\d+(?:,\d{3})*(?:\.\d+)?`)
)

// lexer walks a text and gathers its quantities.
type lexer struct {
	text   string
	tokens []token
	at     int
	found  []quantity
}

// quantities reads every number, date, time and phone of a text.
func quantities(text string, tokens []token) []quantity {
	l := &lexer{text: text, tokens: tokens}
	for l.at < len(tokens) {
		from := l.at
		q, ok := l.next()
		if ok {
			q.token = from
			l.found = append(l.found, q)
		}
		if l.at <= from {
			l.at = from + 1
		}
	}
	l.joinRanges()
	return l.found
}

func (l *lexer) next() (quantity, bool) {
	t := l.tokens[l.at]
	first, _ := utf8.DecodeRuneInString(t.norm)
	_, fraction := fractions[first]
	if '0' <= first && first <= '9' || fraction {
		return l.digits(t)
	}
	return l.spelt(t)
}

// digits reads what begins with a digit.
func (l *lexer) digits(t token) (quantity, bool) {
	if q, ok := l.phone(t); ok {
		return l.take(q), true
	}
	rest := l.text[t.start:]
	if m := isoShape.FindStringSubmatch(rest); m != nil && closed(rest, len(m[0])) {
		if q, ok := date(m[1], m[2], m[3]); ok {
			return l.take(q.at(t.start, t.start+len(m[0]))), true
		}
	}
	if q, ok := l.slashed(t); ok {
		return q, true
	}
	if q, ok := clock(rest); ok {
		return l.take(q.at(t.start, t.start+q.end)), true
	}
	return l.number(t)
}

func (q quantity) at(start, end int) quantity {
	q.start, q.end = start, end
	return q
}

// take moves past the quantity.
func (l *lexer) take(q quantity) quantity {
	for l.at < len(l.tokens) && l.tokens[l.at].start < q.end {
		l.at++
	}
	return q
}

// closed says whether nothing that belongs to a number follows.
func closed(s string, n int) bool {
	if n+1 < len(s) && (s[n] == '.' || s[n] == ',') && s[n+1] >= '0' && s[n+1] <= '9' {
		return false
	}
	next, _ := utf8.DecodeRuneInString(s[n:])
	return n >= len(s) || !wordRune(next)
}

func (l *lexer) phone(t token) (quantity, bool) {
	start := t.start
	for start > 0 && (l.text[start-1] == '(' || l.text[start-1] == '+') && t.start-start < 2 {
		start--
	}
	for from := start; from <= t.start; from++ {
		rest := l.text[from:]
		for _, shape := range []*regexp.Regexp{worldShape, phoneShape, localShape} {
			if n := len(shape.FindString(rest)); n > 0 && closed(rest, n) {
				digits := onlyDigits(rest[:n])
				if len(digits) >= 7 && len(digits) <= 15 {
					return quantity{start: from, end: from + n, kind: aPhone, value: digits}, true
				}
			}
		}
	}
	return quantity{}, false
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// slashed reads 11/24, 11/24/2026, 120/80 and 1/2, each in every way it can be
// read; what decides is which of them the brief holds.
func (l *lexer) slashed(t token) (quantity, bool) {
	rest := l.text[t.start:]
	m := slashShape.FindStringSubmatch(rest)
	if m == nil || !closed(rest, len(m[0])) {
		return quantity{}, false
	}
	end := t.start + len(m[0])
	if m[5] != "" && m[2] == m[4] {
		if q, ok := numericDate(m[1], m[3], m[5]); ok {
			return l.take(q.at(t.start, end)), true
		}
		return quantity{}, false
	}
	if m[2] != "/" || m[5] != "" {
		return quantity{}, false
	}
	a, _ := strconv.Atoi(m[1])
	b, _ := strconv.Atoi(m[3])
	q := l.take(quantity{start: t.start, end: end, kind: aPair, value: m[1] + "/" + m[3], raw: float64(a)})
	if b == 2 || b == 3 || b == 4 || b == 8 {
		if half := (quantity{start: t.start, end: end, raw: float64(a) / float64(b)}); a < b {
			half = l.withUnit(half)
			if half.unit != "" {
				return half, true
			}
			q.or = append(q.or, half)
		}
	}
	if day, ok := numericDate(m[1], m[3], ""); ok {
		q.or = append(q.or, day.at(t.start, end))
	}
	return q, true
}

// clock reads 9 am, 9:30 and 14:05; end is the length read.
func clock(rest string) (quantity, bool) {
	if m := clockShape.FindStringSubmatch(rest); m != nil && closed(rest, len(m[0])) {
		h, _ := strconv.Atoi(m[1])
		minute, _ := strconv.Atoi("0" + m[2])
		if h <= 12 {
			h %= 12
			if strings.EqualFold(m[3]+m[4], "p") {
				h += 12
			}
		}
		return quantity{end: len(m[0]), kind: aTime, minutes: h*60 + minute}, true
	}
	if m := hourShape.FindStringSubmatch(rest); m != nil && closed(rest, len(m[0])) {
		h, _ := strconv.Atoi(m[1])
		minute, _ := strconv.Atoi(m[2])
		return quantity{end: len(m[0]), kind: aTime, minutes: h*60 + minute, halfDay: h > 0 && h <= 12 && m[1][0] != '0'}, true
	}
	return quantity{}, false
}

// number reads a number with what follows it: a fraction, a month or a unit.
func (l *lexer) number(t token) (quantity, bool) {
	n := len(numberShape.FindString(t.norm))
	digits, suffix := t.norm[:n], t.norm[n:]
	if r, size := utf8.DecodeRuneInString(suffix); fractions[r] > 0 {
		digits, suffix = digits+string(r), suffix[size:]
	}
	v, ok := parseNumber(digits)
	if !ok {
		return quantity{}, false
	}
	q := quantity{start: t.start, end: t.end, raw: v}
	if t.start > 0 && l.text[t.start-1] == '.' && !endsInWord(l.text[:t.start-1]) && !strings.Contains(digits, ".") {
		q.start, q.raw = t.start-1, v/pow10(len(digits))
	}
	l.at++
	switch suffix {
	case "", "st", "nd", "rd", "th":
		return l.afterNumber(q), true
	}
	q.said = plainNumber(q.raw)
	if suffix == "d" { // "3d" is three days, "3 D" need not be
		suffix = "days"
	}
	if u, ok := unitOf(suffix); ok {
		q.raw, q.unit = q.raw*u.factor, l.compound(u.name, &q)
	}
	q.value = plainNumber(q.raw)
	return q, true
}

func endsInWord(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(s)
	return wordRune(last)
}

func pow10(n int) float64 {
	v := 1.0
	for range min(n, 15) {
		v *= 10
	}
	return v
}
