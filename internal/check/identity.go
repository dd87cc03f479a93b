package check

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// otherPatients is C3: a name, birth date, record number, phone or e-mail of
// another patient. What this patient shares with the other (a family name, a
// home phone) is theirs as well and passes.
func otherPatients(r *reading) ([]Finding, bool) {
	if len(r.Others) == 0 {
		return nil, true
	}
	look := newStranger(r)
	kinds := []string{"name", "date of birth", "record number", "phone", "e-mail"}
	spans := make([][]Span, len(kinds))
	for _, other := range r.Others {
		for _, name := range other.Names {
			spans[0] = append(spans[0], look.name(name)...)
		}
		for _, b := range other.BirthDates {
			spans[1] = append(spans[1], look.birth(b.Year(), int(b.Month()), b.Day())...)
		}
		for _, m := range other.MRNs {
			spans[2] = append(spans[2], look.squeezed(m, look.ownMRNs)...)
		}
		for _, p := range other.Phones {
			spans[3] = append(spans[3], look.phone(p)...)
		}
		for _, e := range other.Emails {
			spans[4] = append(spans[4], look.email(e)...)
		}
	}
	var all []Finding
	for i, kind := range kinds {
		for n, s := range distinct(spans[i]) {
			all = append(all, Finding{Level: Block, Title: "Another patient’s " + kind, Spans: []Span{s}, Key: kind + strconv.Itoa(n),
				Detail: "This belongs to another patient of the clinic. Take it out."})
		}
	}
	return all, true
}

func distinct(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.End - a.End
	})
	var kept []Span
	for _, s := range spans {
		if len(kept) == 0 || s.Start >= kept[len(kept)-1].End {
			kept = append(kept, s)
		}
	}
	return kept
}

// stranger holds what is looked up once for all other patients.
type stranger struct {
	r        *reading
	places   map[string][]int // word -> tokens
	own      map[string]bool  // words of this patient's names
	ownMRNs  []string
	squeeze  string // the text's letters and digits, lower case
	at       []int  // byte in the text of each byte in squeeze
	lowered  string
	known    *numberSet
	ownPhone map[string]bool
}

func newStranger(r *reading) *stranger {
	s := &stranger{r: r, places: map[string][]int{}, own: map[string]bool{}, ownPhone: map[string]bool{}, known: r.knownNumbers()}
	for i, t := range r.tokens {
		word := strings.TrimSuffix(t.norm, "'s")
		s.places[word] = append(s.places[word], i)
	}
	for _, name := range r.Patient.Names {
		for _, t := range tokenize(name) {
			s.own[t.norm] = true
		}
	}
	for _, m := range r.Patient.MRNs {
		s.ownMRNs = append(s.ownMRNs, squeezeID(m))
	}
	for _, p := range r.Patient.Phones {
		s.ownPhone[lastTen(onlyDigits(p))] = true
	}
	var b strings.Builder
	for i := 0; i < len(r.Text); i++ {
		if c := r.Text[i]; c < utf8.RuneSelf && wordRune(rune(c)) {
			b.WriteByte(byte(unicode.ToLower(rune(c))))
			s.at = append(s.at, i)
		}
	}
	s.squeeze = b.String()
	if strings.Contains(r.Text, "@") {
		s.lowered = asciiLower(r.Text)
	}
	return s
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func squeezeID(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && wordRune(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// name finds a full name in either order, a title with the family name, and a
// first name in the greeting. Single words elsewhere are left alone: too many
// names are words.
func (s *stranger) name(name string) []Span {
	var parts []string
	for _, t := range tokenize(name) {
		parts = append(parts, t.norm)
	}
	if len(parts) == 0 {
		return nil
	}
	first, last := parts[0], parts[len(parts)-1]
	var found []Span
	for _, i := range s.places[last] {
		if s.own[last] && s.own[first] {
			continue
		}
		if from := s.fullNameAt(parts, i); from >= 0 {
			found = append(found, s.span(min(from, i), max(from, i)))
		} else if len(parts) > 1 && i > 0 && !s.own[last] && s.capital(i) && slices.Contains([]string{"mr", "mrs", "ms", "miss", "mx"}, s.r.tokens[i-1].norm) {
			found = append(found, s.span(i-1, i))
		}
	}
	for _, i := range s.places[first] {
		if i > 0 && i <= 2 && !s.own[first] && isGreetingWord(s.r.tokens[0].norm) && s.r.tokens[i].sentence == 0 && s.capital(i) {
			found = append(found, s.span(i, i))
		}
	}
	return found
}

// fullNameAt gives the token at which the first name stands when the last name
// at i completes a full name, else -1.
func (s *stranger) fullNameAt(parts []string, i int) int {
	if len(parts) < 2 || !s.capital(i) {
		return -1
	}
	for _, j := range []int{i - len(parts) + 1, i - 1, i + 1} {
		if j >= 0 && j < len(s.r.tokens) && j != i && strings.TrimSuffix(s.r.tokens[j].norm, "'s") == parts[0] && s.capital(j) {
			return j
		}
	}
	return -1
}

func (s *stranger) capital(i int) bool {
	r, _ := utf8.DecodeRuneInString(s.r.Text[s.r.tokens[i].start:])
	return !unicode.IsLower(r)
}

func (s *stranger) span(from, to int) Span {
	return Span{s.r.tokens[from].start, s.r.tokens[to].end}
}

func (s *stranger) birth(y, m, d int) []Span {
	var found []Span
	for _, q := range s.r.numbers {
		that := func(one quantity) bool {
			return one.kind == aDate && one.y == y && one.m == m && one.d == d && !s.ownBirth(y, m, d) && !s.known.holds(one, s.r.Now)
		}
		if that(q) || slices.ContainsFunc(q.or, that) {
			found = append(found, Span{q.start, q.end})
		}
	}
	return found
}

func (s *stranger) ownBirth(y, m, d int) bool {
	for _, b := range s.r.Patient.BirthDates {
		if b.Year() == y && int(b.Month()) == m && b.Day() == d {
			return true
		}
	}
	return false
}

// squeezed finds an identifier whatever is put between its characters.
func (s *stranger) squeezed(id string, own []string) []Span {
	id = squeezeID(id)
	if len(id) < 5 || slices.Contains(own, id) {
		return nil
	}
	var found []Span
	for from := 0; ; {
		i := strings.Index(s.squeeze[from:], id)
		if i < 0 {
			return found
		}
		start, end := from+i, from+i+len(id)
		from = end
		span := Span{s.at[start], s.at[end-1] + 1}
		if edge(s.r.Text, span) {
			found = append(found, span)
		}
	}
}

// edge says whether a span is not the middle of a longer word or number.
func edge(text string, s Span) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:s.Start])
	after, _ := utf8.DecodeRuneInString(text[s.End:])
	return !wordRune(before) && !wordRune(after)
}

func (s *stranger) phone(phone string) []Span {
	digits := lastTen(onlyDigits(phone))
	if len(digits) < 7 || s.ownPhone[digits] || slices.Contains(s.known.phones, digits) {
		return nil
	}
	if found := s.squeezed(digits, nil); found != nil {
		return found
	}
	return s.squeezed("1"+digits, nil)
}

func (s *stranger) email(email string) []Span {
	email = asciiLower(strings.TrimSpace(email))
	if s.lowered == "" || !strings.Contains(email, "@") || slices.ContainsFunc(s.r.Patient.Emails, func(e string) bool { return asciiLower(e) == email }) {
		return nil
	}
	var found []Span
	for from := 0; ; {
		i := strings.Index(s.lowered[from:], email)
		if i < 0 {
			return found
		}
		span := Span{from + i, from + i + len(email)}
		from = span.End
		if edge(s.r.Text, span) {
			found = append(found, span)
		}
	}
}
