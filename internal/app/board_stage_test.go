package app

import (
	"strings"
	"testing"

	"countersign/internal/config"
)

// The queue board is a page, too: outside production it says where one is, under its own policy.
func TestBoardSaysWhichStage(t *testing.T) {
	t.Parallel()
	address, _, _ := boardAt(t, true)
	resp, page := get(t, address)
	if !strings.Contains(page, `<aside class="env"`) || !strings.Contains(page, "<b>staging</b>") {
		t.Errorf("staging's board does not say so: %.400s", page)
	}
	_, after, _ := strings.Cut(page, `<style nonce="`)
	nonce, _, _ := strings.Cut(after, `"`)
	if len(nonce) < 20 || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "style-src 'nonce-"+nonce+"'") {
		t.Errorf("the banner's style %q is not in the policy %q", nonce, resp.Header.Get("Content-Security-Policy"))
	}
	if !strings.Contains(page, `<a href="/status">Back to Countersign</a>`) {
		t.Error("nothing leads back from the board")
	}
	plain := string(banner([]byte("<body></body>"), "n", config.Production))
	if !strings.Contains(plain, `<a href="/status">Back to Countersign</a>`) || strings.Contains(plain, "stage") {
		t.Errorf("production's board: %s", plain)
	}
}
