package crash

import (
	"strings"
	"testing"
)

// late is how a message ends that its provider took and whose worker was frozen then: a report, a look-up or the worker
// itself says so, or nobody can.
var late = want{states: []string{"accepted", "in_transit", "sent", "delivered", "needs_person"}, taken: 1, attempts: 1,
	words: "Accepted by the provider|On its way|Sent to the network|Delivered|" + asksPerson}

// standstills are the points at which a worker is frozen past its lease.
var standstills = []struct {
	point string
	says  string // the thawed worker, of its attempt
	quiet bool   // nothing whole may ever go out
	end   func(*scene) want
}{
	// The claim comes through when its lease is over.
	{point: "delivery.claim/before-commit", says: `"code":"start_window"`, end: (*scene).overdue},
	// It is too late to begin, and nothing has gone out.
	{point: "delivery.claim/committed", says: `"code":"start_window"`, quiet: true, end: func(s *scene) want { return s.needsPerson(0) }},
	{point: "wire/headers-written", says: "delivery attempt", quiet: true, end: func(s *scene) want { return s.needsPerson(0) }},
	// It has gone out, and whether its answer is still read is a matter of luck.
	{point: "wire/request-written", says: "delivery attempt", end: func(*scene) want { return late }},
	{point: "wire/answered", says: "delivery attempt", end: (*scene).known},
	// Its commit may be too late, and then it is written down once more.
	{point: "delivery.record/before-commit", says: "delivery attempt", end: (*scene).known},
	{point: "delivery.record/committed", says: "delivery attempt", end: (*scene).heard},
}

// overdue is the end of a claim whose lease was over when it was committed. Who is first to see it: the sweep, and then
// nobody knows; or the claim itself, which gives the attempt up by the clock and leaves it to the next.
func (s *scene) overdue() want {
	if s.state() == "needs_person" {
		return s.needsPerson(0)
	}
	return s.heard()
}

// known is the end when the frozen worker has its answer: that it was taken counts, although the lease is over and the
// row has moved on. SendGrid says all of it in the headers; of Twilio's answer the body may be lost, but it can be asked.
func (s *scene) known() want {
	if s.channel == "sms" {
		return late
	}
	return s.heard()
}

// Row «worker frozen past its lease»: each worker stands still with a message that its provider takes and tells of, or
// takes and is silent about. Another worker works meanwhile. Then the frozen ones go on.
func TestFrozenPastLease(t *testing.T) {
	told, untold, text := answers[0], answers[1], answers[11]
	text.lost = true
	for _, at := range standstills {
		t.Run(strings.ReplaceAll(at.point, "/", " "), func(t *testing.T) {
			h := open(t, nudging)
			h.web("")
			var frozen []*process
			for _, a := range []answer{told, untold, text} {
				s := h.submitted(a)
				p := h.start("worker", silent+"freeze="+at.point, "LOG_LEVEL=info")
				s.approve()
				p.freezes(s.again)
				frozen = append(frozen, p)
			}
			h.start("worker", "")
			await(t, "every lease to be over", h.leasesOver)
			for _, p := range frozen {
				p.thaw()
			}
			for _, p := range frozen {
				p.says(at.says)
			}
			h.rest(at.end)
			for _, s := range h.cases {
				if at.quiet && h.outside.requests(s.provider) != 0 {
					t.Errorf("%s: a whole request went out", s.name)
				}
			}
		})
	}
}

// leasesOver: every message was claimed so long ago that its lease was seen to be over, or is settled. A claim that is not committed
// cannot be seen; its lease counts from when it began, soon after the signature.
func (h *house) leasesOver() bool {
	return one[int](h, `SELECT count(*) FROM deliveries WHERE state = 'sending' AND lease_until > now() - interval '1 s'
		OR state = 'queued' AND updated_at > now() - interval '9 s'`) == 0
}
