package check

import (
	"strconv"
	"strings"
)

// afterNumber reads on after a number: 1 1/2, 24 November, 130 over 80, 5 mg.
func (l *lexer) afterNumber(q quantity) quantity {
	if l.at < len(l.tokens) && l.near(q.end) {
		t := l.tokens[l.at]
		if m := slashShape.FindString(l.text[t.start:]); len(m) == 3 && m[1] == '/' && m[0] < m[2] && l.text[q.end] != '-' {
			a, b := float64(m[0]-'0'), float64(m[2]-'0')
			q.raw += a / b
			l.take(quantity{end: t.start + 3})
			q.end = t.start + 3
			return l.withUnit(q)
		}
		if v, ok := parseFraction(t.norm); ok {
			q.raw, q.end = q.raw+v, t.end
			l.at++
			return l.withUnit(q)
		}
		if t.norm == "of" && l.at+1 < len(l.tokens) && months[l.tokens[l.at+1].norm] > 0 {
			l.at++
			t = l.tokens[l.at]
		}
		if m := months[t.norm]; m > 0 && q.raw >= 1 && q.raw <= 31 && q.raw == float64(int(q.raw)) && !l.monthFirst() {
			l.at++
			q.kind, q.m, q.d, q.end = aDate, m, int(q.raw), t.end
			l.year(&q)
			return q
		}
		if t.norm == "over" && l.at+1 < len(l.tokens) {
			if lower, ok := parseNumber(l.tokens[l.at+1].norm); ok && q.raw > lower {
				q.kind, q.value, q.end = aPair, plainNumber(q.raw)+"/"+plainNumber(lower), l.tokens[l.at+1].end
				l.at += 2
				return q
			}
		}
		if t.norm == "o'clock" && q.raw >= 1 && q.raw <= 12 {
			l.at++
			return quantity{start: q.start, end: t.end, kind: aTime, minutes: int(q.raw) * 60, halfDay: true}
		}
	}
	return l.withUnit(q)
}

func parseFraction(s string) (float64, bool) {
	for sign, v := range fractions {
		if s == string(sign) {
			return v, true
		}
	}
	return 0, false
}

// near says whether the next token stands right after byte end, with a space,
// a hyphen or nothing between.
func (l *lexer) near(end int) bool {
	if l.at >= len(l.tokens) {
		return false
	}
	gap := l.text[end:l.tokens[l.at].start]
	return len(gap) <= 3 && strings.Trim(gap, " -\u00a0\u202f") == ""
}

// withUnit reads the unit after a number and settles its value.
func (l *lexer) withUnit(q quantity) quantity {
	q.said = plainNumber(q.raw)
	rest := l.text[q.end:]
	switch {
	case strings.HasPrefix(rest, "%") || strings.HasPrefix(rest, " %"):
		q.unit, q.end = "%", q.end+strings.IndexByte(rest, '%')+1
	case q.start > 0 && l.text[q.start-1] == '$':
		q.unit, q.start = "$", q.start-1
	default:
		l.degrees(&q)
		if l.near(q.end) {
			t := l.tokens[l.at]
			// "of a tablet" and "a tablet" after a half are the unit as well.
			if u, ok := unitOf(t.norm); ok && !(t.norm == "c" || t.norm == "f") || ok && q.raw > 30 {
				l.at++
				q.end = t.end
				q.raw *= u.factor
				q.unit = l.compound(u.name, &q)
			}
		}
	}
	q.value = plainNumber(q.raw)
	return q
}

// degrees steps over ° and the word; which scale, if it is said, is the unit.
func (l *lexer) degrees(q *quantity) {
	rest := l.text[q.end:]
	if gap := len(rest) - len(strings.TrimLeft(rest, " ")); gap <= 1 && strings.HasPrefix(rest[gap:], "°") {
		q.end += gap + len("°")
	} else if l.near(q.end) && (l.tokens[l.at].norm == "degrees" || l.tokens[l.at].norm == "degree") {
		q.end = l.tokens[l.at].end
		l.at++
	}
}

// compound reads mg/dL and mmol/L. Per time (mg/day) is the same as the amount,
// since the time is said in many ways.
func (l *lexer) compound(name string, q *quantity) string {
	if l.at < len(l.tokens) && l.text[q.end:l.tokens[l.at].start] == "/" {
		t := l.tokens[l.at]
		if per, ok := unitOf(t.norm); ok {
			l.at++
			q.end = t.end
			switch per.name {
			case "day", "hour", "dose", "minute":
			default:
				return name + "/" + t.norm
			}
		}
	}
	return name
}

// monthFirst says whether the month at hand has a day and a year after it, so
// that a number before it is no day: "room 4 January 1, 1920".
func (l *lexer) monthFirst() bool {
	if l.at+2 >= len(l.tokens) || len(l.tokens[l.at+1].norm) > 2 || len(l.tokens[l.at+2].norm) != 4 {
		return false
	}
	_, day := parseNumber(l.tokens[l.at+1].norm)
	_, year := parseNumber(l.tokens[l.at+2].norm)
	return day && year
}

func (l *lexer) year(q *quantity) {
	if l.at >= len(l.tokens) || len(l.text[q.end:l.tokens[l.at].start]) > 3 {
		return
	}
	if t := l.tokens[l.at]; len(t.norm) == 4 {
		if y, err := strconv.Atoi(t.norm); err == nil && y >= 1880 && y <= 2200 {
			q.y, q.end = y, t.end
			l.at++
		}
	}
}

func date(year, month, day string) (quantity, bool) {
	y, _ := strconv.Atoi(year)
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	if len(year) == 2 {
		y += 2000
	}
	return quantity{kind: aDate, y: y, m: m, d: d}, m >= 1 && m <= 12 && d >= 1 && d <= 31
}

// numericDate reads month/day, and day/month as well where that is possible.
func numericDate(a, b, year string) (quantity, bool) {
	us, okUS := date(year, a, b)
	world, okWorld := date(year, b, a)
	switch {
	case okUS && okWorld && a != b:
		us.or = []quantity{world}
		return us, true
	case okUS:
		return us, true
	default:
		return world, okWorld
	}
}

// joinRanges gives the first number of "5 to 7 days" the second one's unit, and
// makes the first of "9-11 am" a time.
func (l *lexer) joinRanges() {
	for i := len(l.found) - 2; i >= 0; i-- {
		a, b := &l.found[i], l.found[i+1]
		if a.kind != aNumber || a.unit != "" || b.start < a.end {
			continue
		}
		switch strings.TrimSpace(l.text[a.end:b.start]) {
		case "-", "–", "—", "to", "or", "and":
		default:
			continue
		}
		if b.kind == aTime && a.raw >= 1 && a.raw <= 12 && a.raw == float64(int(a.raw)) {
			a.kind, a.minutes, a.halfDay = aTime, int(a.raw)*60, true
		} else if b.kind == aNumber && b.unit != "" {
			a.unit = b.unit
			a.raw *= l.scale(b)
			a.value = plainNumber(a.raw)
		}
	}
}

// scale gives the factor by which a quantity's unit was converted.
func (l *lexer) scale(q quantity) float64 {
	for _, t := range l.tokens[q.token:] {
		if t.start >= q.end {
			break
		}
		word := strings.TrimLeft(t.norm, "0123456789.,")
		if u, ok := unitOf(word); ok {
			return u.factor
		}
	}
	return 1
}
