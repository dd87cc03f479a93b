package drafting

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/prices.tsv
var priceFile string

// price is in thousandths of a micro-dollar for each token.
type price struct{ prompt, completion int64 }

var prices = sync.OnceValue(func() map[string]price {
	table := map[string]price{}
	for line := range strings.Lines(priceFile) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 4 || strings.HasPrefix(line, "#") {
			continue
		}
		in, errIn := strconv.ParseFloat(f[1], 64)
		out, errOut := strconv.ParseFloat(f[2], 64)
		if errIn == nil && errOut == nil {
			// A dollar for a million tokens is a micro-dollar for each.
			table[f[0]] = price{int64(in*1000 + 0.5), int64(out*1000 + 0.5)}
		}
	}
	return table
})

// Cost gives what a call cost, in millionths of a US dollar, rounded up, from
// the model's own counts. A model that is not in the price table is counted as
// the dearest one in it, so a budget is never passed unseen.
func Cost(model string, promptTokens, completionTokens int) (microUSD int64) {
	in, out := int64(max(promptTokens, 0)), int64(max(completionTokens, 0))
	if p, ok := prices()[model]; ok {
		return (in*p.prompt + out*p.completion + 999) / 1000
	}
	for _, p := range prices() {
		microUSD = max(microUSD, (in*p.prompt+out*p.completion+999)/1000)
	}
	return microUSD
}

// Price is what a million tokens of a model cost, in millionths of a US dollar. Known is false for a model that is not in
// the price table, which Cost counts as the dearest.
type Price struct {
	Prompt, Completion int64
	Known              bool
}

// PriceOf gives a model's price.
func PriceOf(model string) Price {
	p, ok := prices()[model]
	return Price{Prompt: p.prompt * 1000, Completion: p.completion * 1000, Known: ok}
}
