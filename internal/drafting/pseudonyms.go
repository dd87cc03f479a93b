package drafting

import (
	"cmp"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"countersign/internal/check"
)

// Pseudonyms puts tokens such as [[P1]] in the place of a person's details, and
// the details back. Every spelling that is met gets a token of its own, so what
// comes back is what went in, byte for byte. The map lives in memory only, and
// no way of printing, logging or encoding the value shows it. Safe for use by
// several goroutines.
type Pseudonyms struct {
	// A function, because fmt follows pointers into unexported fields and
	// cannot look into a function.
	open func() *book
}

type book struct {
	mu      sync.Mutex
	tokens  map[string]string // kind and surface -> token
	surface map[string]string // token -> surface
	count   map[string]int    // kind -> tokens so far
	known   known
}

const hidden = "[patient]"

// Format hides the map whatever the verb.
func (Pseudonyms) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue hides the map from slog.
func (Pseudonyms) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the map from every encoder.
func (Pseudonyms) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Kinds of token.
const (
	person  = "P"
	phone   = "PHONE"
	email   = "EMAIL"
	born    = "DOB"
	mrn     = "MRN"
	address = "ADDR"
	literal = "TXT" // what already looked like a token
)

func newPseudonyms(who check.Identity, where string) Pseudonyms {
	b := &book{tokens: map[string]string{}, surface: map[string]string{}, count: map[string]int{}, known: newKnown(who, where)}
	b.token(person, oneLine(who.Names[0]))
	return Pseudonyms{func() *book { return b }}
}

// book of a Pseudonyms that was never made knows nobody.
func (p Pseudonyms) book() *book {
	if p.open == nil {
		return &book{tokens: map[string]string{}, surface: map[string]string{}, count: map[string]int{}}
	}
	return p.open()
}

// patient is the token of the patient's full name.
func (p Pseudonyms) patient() string { return "[[P1]]" }

func (b *book) token(kind, surface string) string {
	if t, ok := b.tokens[kind+surface]; ok {
		return t
	}
	b.count[kind]++
	t := "[[" + kind + strconv.Itoa(b.count[kind]) + "]]"
	b.tokens[kind+surface], b.surface[t] = t, surface
	return t
}

func (p Pseudonyms) knows(token string) bool {
	pages := p.book()
	pages.mu.Lock()
	defer pages.mu.Unlock()
	_, ok := pages.surface[token]
	return ok
}

// found is a stretch of a text that must not go out.
type found struct {
	start, end int
	kind       string
}

var (
	emailShape   = regexp.MustCompile(`[\pL\pN._%+\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)*`)
	phoneShape   = regexp.MustCompile(`(?:\+?\d{1,3}[ .\-/]?)?(?:\(\d{3}\) ?|\d{3}[ .\-/])\d{3}[ .\-/]\d{4}\b|\b\d{3}[.\-]\d{4}\b|\b\d{10,11}\b|\+\d(?:[ .\-]?\(?\d{2,4}\)?){2,5}`)
	mrnShape     = regexp.MustCompile(`(?i)\b(?:MRN|medical record(?: (?:number|no))?|record (?:number|no)|NHS(?: number| no)?|SSN)[.:#]? {0,2}#?((?:[A-Z]{1,4}[ \-]?)?\d[\dA-Z\-]{3,})`)
	ssnShape     = regexp.MustCompile(`\b\d{3}-\d{2}-\d{4}\b`)
	streetShape  = regexp.MustCompile(`\b\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z][\pL'’]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Circle|Square)\b\.?(?:,? (?:Apt|Unit|Suite|#)\.? ?\w+)?`)
	birthLabel   = regexp.MustCompile(`(?i)\b(?:d\.?o\.?b\.?|date of birth|birth ?date|birthday|born(?: on)?)[ :]{0,3}(?:is |was )?$`)
	longestLabel = 24
)

// In replaces what is known of the patient and what has the shape of a personal
// detail by tokens.
func (p Pseudonyms) In(text string) string {
	all := p.book().known.find(text)
	shapes := func(kind string, shape *regexp.Regexp, group int) {
		for _, m := range shape.FindAllStringSubmatchIndex(text, -1) {
			all = append(all, found{m[2*group], m[2*group+1], kind})
		}
	}
	shapes(literal, tokenShape, 0)
	shapes(email, emailShape, 0)
	shapes(mrn, mrnShape, 1)
	shapes(mrn, ssnShape, 0)
	shapes(phone, phoneShape, 0)
	shapes(address, streetShape, 0)
	for _, d := range check.Dates(text) {
		if birthLabel.MatchString(text[max(0, d.Start-longestLabel):d.Start]) {
			all = append(all, found{d.Start, d.End, born})
		}
	}
	return p.replace(text, all)
}

// replace puts tokens for the stretches; where two overlap, one token stands
// for all that either covers.
func (p Pseudonyms) replace(text string, all []found) string {
	if len(all) == 0 {
		return text
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	pages := p.book()
	pages.mu.Lock()
	defer pages.mu.Unlock()
	var b strings.Builder
	at := 0
	for i := 0; i < len(all); {
		start, end, kind := all[i].start, all[i].end, all[i].kind
		for i++; i < len(all) && all[i].start < end; i++ {
			end = max(end, all[i].end)
		}
		b.WriteString(text[at:start])
		b.WriteString(pages.token(kind, text[start:end]))
		at = end
	}
	b.WriteString(text[at:])
	return b.String()
}

// Out puts the details back for every token that stands for one. What looks
// like a token and stands for nothing is left as it is.
func (p Pseudonyms) Out(text string) string {
	pages := p.book()
	pages.mu.Lock()
	defer pages.mu.Unlock()
	return tokenShape.ReplaceAllStringFunc(text, func(t string) string {
		if surface, ok := pages.surface[t]; ok {
			return surface
		}
		return t
	})
}

// bornOn says whether a date in a text is one of these birth dates.
func bornOn(d check.Date, births []time.Time) bool {
	for _, b := range births {
		year := d.Year == b.Year() || d.Year%100 == b.Year()%100 && d.Year >= 2000 && d.Year < 2100
		if year && d.Month == int(b.Month()) && d.Day == b.Day() {
			return true
		}
	}
	return false
}
