package check

// Date is a calendar date as a text writes it. Year is 0 when it is not said.
type Date struct {
	Span
	Year, Month, Day int
}

// Dates finds every date of a text that names a month and a day, in any of the
// spellings C4 knows. A date that can be read two ways (3/2/1955) is given
// twice, with the same span.
func Dates(text string) []Date {
	var all []Date
	for _, q := range quantities(text, tokenize(text)) {
		for _, one := range append([]quantity{q}, q.or...) {
			if one.kind == aDate {
				all = append(all, Date{Span{q.start, q.end}, one.y, one.m, one.d})
			}
		}
	}
	return all
}
