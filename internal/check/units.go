package check

import (
	"math"
	"strconv"
	"strings"
)

// unit is how a measure is spelt once all its spellings are made one, and what
// to multiply by so that 0.5 g and 500 mg are the same. Only exact, everyday
// conversions are made.
type unit struct {
	name   string
	factor float64
}

// unitOf knows a unit by the folded word that spells it.
func unitOf(word string) (unit, bool) {
	u, ok := unitTable[word]
	return u, ok
}

var unitTable = buildUnits()

func buildUnits() map[string]unit {
	table := map[string]unit{}
	for _, row := range []struct {
		spellings, name string
		factor          float64
	}{
		{"mcg ug µg μg microgram micrograms", "mcg", 1},
		{"mg mgs milligram milligrams", "mcg", 1e3},
		{"g gm gms gram grams", "mcg", 1e6},
		{"kg kgs kilo kilos kilogram kilograms", "kg", 1},
		{"lb lbs pound pounds", "lb", 1}, {"oz ounce ounces", "oz", 1},
		{"ml mls cc milliliter milliliters millilitre millilitres", "ml", 1},
		{"dl deciliter deciliters", "ml", 100},
		{"l liter liters litre litres", "ml", 1000},
		{"tsp teaspoon teaspoons teaspoonful", "tsp", 1}, {"tbsp tablespoon tablespoons", "tbsp", 1},
		{"cup cups", "cup", 1}, {"glass glasses", "glass", 1},
		{"unit units", "unit", 1}, {"iu", "iu", 1},
		{"meq", "meq", 1}, {"mmol millimole millimoles", "mmol", 1}, {"mmhg", "mmhg", 1}, {"bpm", "bpm", 1},
		{"pill pills tablet tablets tab tabs capsule capsules cap caps", "pill", 1},
		{"puff puffs", "puff", 1}, {"drop drops", "drop", 1}, {"spray sprays", "spray", 1}, {"patch patches", "patch", 1},
		{"dose doses", "dose", 1}, {"injection injections shot shots", "shot", 1}, {"refill refills", "refill", 1},
		{"time times x", "time", 1},
		{"second seconds sec secs", "second", 1}, {"minute minutes min mins", "minute", 1},
		{"hour hours hr hrs h", "hour", 1}, {"day days", "day", 1}, {"week weeks wk wks", "day", 7},
		{"month months mo mos", "month", 1}, {"year years yr yrs", "year", 1},
		{"percent", "%", 1}, {"f fahrenheit", "°f", 1}, {"c celsius", "°c", 1},
		{"cm", "cm", 1}, {"mm", "mm", 1}, {"inch inches", "inch", 1}, {"foot feet ft", "foot", 1}, {"mile miles", "mile", 1},
		{"step steps", "step", 1}, {"calorie calories kcal", "calorie", 1}, {"dollar dollars", "$", 1},
	} {
		for _, s := range strings.Fields(row.spellings) {
			table[s] = unit{row.name, row.factor}
		}
	}
	return table
}

// smallNumbers are the words that a spelt number is made of.
var smallNumbers = map[string]int{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
	"nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
	"ninety": 90, "dozen": 12,
}

var months = map[string]int{
	"january": 1, "jan": 1, "february": 2, "feb": 2, "march": 3, "mar": 3, "april": 4, "apr": 4, "may": 5, "june": 6, "jun": 6,
	"july": 7, "jul": 7, "august": 8, "aug": 8, "september": 9, "sept": 9, "sep": 9, "october": 10, "oct": 10,
	"november": 11, "nov": 11, "december": 12, "dec": 12,
}

var weekdays = map[string]int{
	"sunday": 0, "sun": 0, "monday": 1, "mon": 1, "tuesday": 2, "tue": 2, "tues": 2, "wednesday": 3, "wed": 3,
	"thursday": 4, "thu": 4, "thur": 4, "thurs": 4, "friday": 5, "fri": 5, "saturday": 6, "sat": 6,
	"sundays": 0, "mondays": 1, "tuesdays": 2, "wednesdays": 3, "thursdays": 4, "fridays": 5, "saturdays": 6,
}

var fractions = map[rune]float64{'½': 0.5, '¼': 0.25, '¾': 0.75, '⅓': 1.0 / 3, '⅔': 2.0 / 3, '⅛': 0.125}

// plainNumber writes a value in the one way by which values are compared.
func plainNumber(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

// parseNumber reads a folded run of digits with thousands and decimals, and a
// fraction sign at its end.
func parseNumber(s string) (float64, bool) {
	extra := 0.0
	for sign, v := range fractions {
		if rest, ok := strings.CutSuffix(s, string(sign)); ok {
			s, extra = rest, v
		}
	}
	if s == "" && extra > 0 {
		return extra, true
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	return v + extra, err == nil
}
