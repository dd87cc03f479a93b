package road

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// How long from the doctor's click to the provider's acceptance, at rest and with no undo window. Goal: under 300 ms.
func BenchmarkApproveToAccepted(b *testing.B) {
	h := open(b, hurried)
	doctor := h.as("amara-osei")
	ids := make([]uuid.UUID, b.N)
	for i := range ids {
		name := fmt.Sprintf("Ada Winter%c%c", 'a'+i%26, 'a'+i/26%26)
		ids[i] = h.submitted(h.patient(name, "1950-01-02", fmt.Sprint(77000+i), fmt.Sprintf("ada%d@mail.example", i), ""), name, "email")
	}
	var took []time.Duration
	b.ResetTimer()
	for _, id := range ids {
		version := h.version(id)
		begun := time.Now()
		if status, body := doctor.post("/reviews/"+id.String()+"/approve", url.Values{"version": {version}}); status != http.StatusOK {
			b.Fatalf("approve answered %d: %.300s", status, body)
		}
		h.waitFor("acceptance", 10*time.Second, func() bool { return h.state(id) != "queued" && h.state(id) != "sending" })
		var accepted time.Time
		h.one(&accepted, "SELECT finished_at FROM delivery_attempts WHERE delivery_id = (SELECT id FROM deliveries WHERE message_id = $1)", id)
		took = append(took, accepted.Sub(begun))
	}
	report(b, took, "accepted")
}

// What the server itself takes for a page, as its own Server-Timing header says. Goal: under 10 ms.
func BenchmarkWorklistPage(b *testing.B) { h := open(b, hurried); benchPage(b, h, "amara-osei", "/") }

func BenchmarkReviewPage(b *testing.B) {
	h := open(b, hurried)
	id := h.submitted(h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", ""), "Ada Winter", "email")
	benchPage(b, h, "amara-osei", "/reviews/"+id.String())
}

func BenchmarkPatientsPage(b *testing.B) {
	h := open(b, hurried)
	benchPage(b, h, "amara-osei", "/patients")
}

func benchPage(b *testing.B, h *house, who, path string) {
	c := h.as(who)
	var took []time.Duration
	weight := 0
	b.ResetTimer()
	for range b.N {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, h.web+path, nil)
		must(b, err)
		req.Header.Set("Accept-Encoding", "gzip") // so that what is counted is what travels
		resp, err := c.http.Do(req)
		must(b, err)
		status, body := c.read(resp)
		if status != http.StatusOK {
			b.Fatalf("%s answered %d", path, status)
		}
		weight = len(body)
		took = append(took, total(b, resp.Header.Get("Server-Timing")))
	}
	report(b, took, "server")
	b.ReportMetric(float64(weight), "bytes-gzipped")
}

// total reads the first figure of a Server-Timing header: total;dur=1.2, in milliseconds.
func total(b *testing.B, header string) time.Duration {
	b.Helper()
	_, rest, _ := strings.Cut(header, "total;dur=")
	figure, _, _ := strings.Cut(rest, ",")
	ms, err := strconv.ParseFloat(figure, 64)
	if err != nil {
		b.Fatalf("Server-Timing is %q", header)
	}
	return time.Duration(ms * float64(time.Millisecond))
}

func report(b *testing.B, took []time.Duration, what string) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-"+what+"-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-"+what+"-p99")
	b.ReportMetric(0, "ns/op")
}
