package drafting

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"countersign/internal/check"
)

// known is what we were told of the patient, ready to be looked for.
type known struct {
	names     [][]string // folded words, longest row first
	addresses [][]string
	digits    []string // of phones, whole and without area code
	records   []string // letters and digits of record numbers
	emails    []string
	births    []time.Time
	days      []string   // birth dates as eight digits
	dates     [][]string // birth dates in words
}

// grammar are words that hold sentences together and are also names. In small
// letters they are left alone, or every "will" would be hidden for the sake of
// a patient called Will; with a capital, or as part of a full name, they go.
var grammar = []string{"will", "may", "an", "so", "do", "in", "my", "see", "you", "he", "she", "can", "long", "day", "de", "la", "le", "van", "von", "der", "den",
	"del", "da", "dos", "el", "al", "of", "the", "or", "no", "to", "on", "at", "is", "it", "as", "be", "by", "if", "we", "me", "up", "us", "go", "and", "any", "than"}

func newKnown(who check.Identity, where string) known {
	k := known{births: who.BirthDates}
	for _, name := range who.Names {
		words := foldedWords(name)
		k.addName(words)
		for _, w := range words {
			if utf8.RuneCountInString(w) > 1 {
				k.addName([]string{w})
			}
		}
	}
	for _, part := range strings.FieldsFunc(where, func(r rune) bool { return r == ',' || r == '\n' || r == ';' }) {
		words := foldedWords(part)
		k.addAddress(words)
		for _, w := range words {
			if len(w) >= 5 && strings.IndexFunc(w, unicode.IsDigit) >= 0 { // a postcode
				k.addAddress([]string{w})
			}
		}
	}
	for _, p := range who.Phones {
		d := only(p, unicode.IsDigit)
		for _, n := range []int{len(d), 10, 7} {
			if n >= 7 && n <= len(d) {
				k.digits = append(k.digits, d[len(d)-n:])
			}
		}
	}
	for _, m := range who.MRNs {
		if m = strings.ToLower(only(m, alnum)); len(m) >= 3 {
			k.records = append(k.records, m)
		}
	}
	for _, b := range who.BirthDates {
		for _, layout := range []string{"20060102", "01022006", "02012006"} {
			k.days = append(k.days, b.Format(layout))
		}
		k.addDates(b)
	}
	for _, e := range who.Emails {
		if e = strings.TrimSpace(e); e != "" {
			k.emails = append(k.emails, asciiLower(e))
		}
	}
	longestFirst := func(a, b []string) int { return len(b) - len(a) }
	slices.SortStableFunc(k.names, longestFirst)
	slices.SortStableFunc(k.addresses, longestFirst)
	slices.SortStableFunc(k.digits, func(a, b string) int { return len(b) - len(a) })
	return k
}

func (k *known) addName(words []string) {
	if len(words) > 0 {
		k.names = append(k.names, words)
	}
}

// addAddress leaves out what says too little by itself, such as a state.
func (k *known) addAddress(words []string) {
	if len(strings.Join(words, "")) >= 4 {
		k.addresses = append(k.addresses, words)
	}
}

// addDates adds the spellings of a birth date, in figures and with the month
// in letters.
func (k *known) addDates(b time.Time) {
	day, year := strconv.Itoa(b.Day()), strconv.Itoa(b.Year())
	for _, layout := range []string{"1 2", "01 02", "2 1", "02 01"} {
		row := strings.Fields(b.Format(layout))
		k.dates = append(k.dates, append(row, year), append([]string{year}, row...))
	}
	for _, month := range []string{b.Format("January"), b.Format("Jan"), b.Format("Jan") + "t"} {
		m := strings.ToLower(month)
		for _, d := range [][]string{{day}, {b.Format("02")}, {day, "st"}, {day, "nd"}, {day, "rd"}, {day, "th"}} {
			k.dates = append(k.dates, append(append([]string{m}, d...), year), append(append([]string{}, d...), m, year),
				append(append([]string{}, d...), "of", m, year))
		}
	}
}

func alnum(r rune) bool { return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

func only(s string, keep func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if keep(r) && r < utf8.RuneSelf {
			return r
		}
		return -1
	}, s)
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

// find gives every stretch of a text that holds something known.
func (k known) find(text string) []found {
	list := words(text)
	var all []found
	for i, w := range list {
		if n := rowAt(k.names, list, i, text); n > 0 && !(n == 1 && w.small && slices.Contains(grammar, w.folded)) {
			all = append(all, found{w.start, list[i+n-1].end, person})
		}
		if n := rowAt(k.dates, list, i, text); n > 0 {
			all = append(all, found{w.start, list[i+n-1].end, born})
		}
		if n := rowAt(k.addresses, list, i, text); n > 0 {
			all = append(all, found{w.start, list[i+n-1].end, address})
		}
	}
	for _, d := range k.digits {
		all = append(all, spread(text, d, phone)...)
	}
	for _, m := range k.records {
		all = append(all, spread(text, m, mrn)...)
	}
	for _, d := range k.days {
		all = append(all, spread(text, d, born)...)
	}
	lowered := asciiLower(text)
	for _, e := range k.emails {
		for from := 0; ; {
			i := strings.Index(lowered[from:], e)
			if i < 0 {
				break
			}
			all = append(all, found{from + i, from + i + len(e), email})
			from += i + len(e)
		}
	}
	if len(k.births) > 0 {
		for _, d := range check.Dates(text) {
			if bornOn(d, k.births) {
				all = append(all, found{d.Start, d.End, born})
			}
		}
	}
	return all
}

// rowAt gives how many words from i are the longest of the rows, else 0.
// Between them may stand up to three bytes that are no word.
func rowAt(rows [][]string, list []word, i int, text string) int {
	for _, row := range rows {
		if len(row) > len(list)-i || row[0] != list[i].folded {
			continue
		}
		same := true
		for n := 1; n < len(row) && same; n++ {
			same = row[n] == list[i+n].folded && list[i+n].start-list[i+n-1].end <= 3
			same = same && !strings.Contains(text[list[i+n-1].end:list[i+n].start], "\n\n")
		}
		if same {
			return len(row)
		}
	}
	return 0
}

// spread finds an identifier whatever stands between its characters, as long
// as that is no letter or digit and no more than four characters at a time. All
// but phones must not be the middle of a longer word.
func spread(text, id, kind string) []found {
	var all []found
	for start := 0; start < len(text); start++ {
		if lower(text[start]) != id[0] {
			continue
		}
		end, ok := follow(text, id, start)
		if !ok {
			continue
		}
		if kind != phone && (alnumByte(text, start-1) || alnumByte(text, end)) {
			continue
		}
		all = append(all, found{start, end, kind})
		start = end - 1
	}
	return all
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func alnumByte(text string, i int) bool {
	return i >= 0 && i < len(text) && alnum(rune(text[i]))
}

// follow walks the identifier from start and gives the byte after its end.
func follow(text, id string, start int) (int, bool) {
	at, gap := start, 0
	for n := 0; n < len(id); {
		if at >= len(text) {
			return 0, false
		}
		if lower(text[at]) == id[n] {
			n, at, gap = n+1, at+1, 0
			continue
		}
		r, size := utf8.DecodeRuneInString(text[at:])
		if gap++; unicode.IsLetter(r) || unicode.IsDigit(r) || gap > 4 {
			return 0, false
		}
		at += size
	}
	return at, true
}
