package bench

import (
	"io"
	"net/http"
	"slices"
	"time"
)

// asks is how often each web is asked for a page; both together stay within what one address may ask in a minute.
const asks = 400

// filter is what the optional filter adds to a request: a page that needs no database, asked for one after the other, of a web
// without it and of one that blocks.
func (s *stage) filter() row {
	off, block := s.asked("off"), s.asked("block")
	r := info("a page, with WAF=block, p50", milliseconds(block), "WAF=off "+milliseconds(off)+", so "+milliseconds(block-off)+" a request")
	r.ratio = grouped(float64(block) / float64(off))
	return r
}

// asked is the median of how long the sign-in page takes.
func (s *stage) asked(waf string) time.Duration {
	web := s.start("web", nil, map[string]string{"WAF": waf, "LIMIT_ADDRESS": "1000"})
	defer web.stop()
	s.awaitReady(s.web + "/readyz")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, asks)
	for i := range took {
		begun := time.Now()
		resp, err := client.Get(s.web + "/sign-in")
		must(s.b, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		took[i] = time.Since(begun)
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
			s.b.Fatalf("web answers %d with WAF=%s", resp.StatusCode, waf)
		}
	}
	slices.Sort(took)
	return took[asks/2]
}
