package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// posters is how many posts a provider has under way at once.
const posters = 16

// sent is a delivery that a provider took, as its reports name it.
type sent struct {
	id       uuid.UUID
	provider string
	attempt  int
}

// webhooks has the real web take reports on n deliveries as the providers send them: rightly signed, in parallel posts,
// one in twenty told twice. Each delivery is reported in two steps, so that every report which is not told twice moves
// its row. The clock stops when the last post is answered and every fold is done.
func (s *stage) webhooks(n int) (rows []row) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(s.b, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(s.b, err)
	web := s.start("web", nil, map[string]string{"SENDGRID_WEBHOOK_KEY": base64.StdEncoding.EncodeToString(public)})
	defer web.stop()
	s.awaitReady(s.web + "/readyz")
	s.mailReports(key, n, 10) // a web whose connections are open; it plans anew in each round, which begins by tidying up
	for _, size := range []int{1, 10, 100} {
		rate, events := s.mailReports(key, n, size)
		rows = append(rows, row{what: fmt.Sprintf("SendGrid events, %d to a post, with their fold", size), figure: perSecond(rate), beside: fmt.Sprintf("%d events, %d posts at once", events, posters),
			ratio: fmt.Sprintf("%.2f", rate/2000), goal: "2,000 /s", met: rate >= 2000})
	}
	s.tidy()
	s.rewind(n, "accepted", "")
	callbacks := reports(s.sentRows(n), func(d sent, name string, at int) map[string]any { return textStatus(d, name) })
	rate := s.report(n, len(callbacks), func(post func(*http.Request)) {
		for _, status := range callbacks {
			post(s.textPost(status))
		}
	})
	return append(rows, info("Twilio callbacks, one to a post, with their fold", perSecond(rate), fmt.Sprintf("%d callbacks, %d posts at once", len(callbacks), posters)))
}

// mailReports has SendGrid report on n deliveries, size events to a post.
func (s *stage) mailReports(key *ecdsa.PrivateKey, n, size int) (rate float64, events int) {
	s.tidy()
	s.rewind(n, "accepted", "")
	all := reports(s.sentRows(n), func(d sent, name string, at int) map[string]any { return mailEvent(d, name) })
	rate = s.report(n, len(all), func(post func(*http.Request)) {
		for batch := range slices.Chunk(all, size) {
			post(s.mailPost(key, batch))
		}
	})
	return rate, len(all)
}

// reports tells of each delivery in two steps, the second some fifty deliveries behind the first, and one in twenty
// reports twice.
func reports(all []sent, one func(d sent, name string, at int) map[string]any) (events []map[string]any) {
	const behind = 50
	for i := range len(all) + behind {
		if i < len(all) {
			events = append(events, one(all[i], "first", i))
		}
		if i >= behind {
			events = append(events, one(all[i-behind], "second", i))
		}
		if i%10 == 9 {
			events = append(events, events[len(events)-3])
		}
	}
	return events
}

func mailEvent(d sent, step string) map[string]any {
	event := map[string]any{"email": "p@mail.example", "timestamp": time.Now().Unix(), "event": "processed", "sg_event_id": uuid.NewString(),
		"sg_message_id": d.provider + ".recvd-5d7f9b6c4-abcde-1-0-1.0", "smtp-id": "<" + d.provider + "@geopod-ismtpd-1>", "d": d.id.String(), "a": strconv.Itoa(d.attempt)}
	if step == "second" {
		maps.Copy(event, map[string]any{"event": "delivered", "response": "250 2.0.0 OK", "tls": 1, "ip": "192.0.2.10"})
	}
	return event
}

func textStatus(d sent, step string) map[string]any {
	status := map[string]string{"first": "sent", "second": "delivered"}[step]
	return map[string]any{"delivery": d.id.String(), "status": status, "sid": "SM" + fmt.Sprintf("%x", sha256.Sum256([]byte(d.id.String())))[:32]}
}

// mailPost is a batch as SendGrid posts and signs it.
func (s *stage) mailPost(key *ecdsa.PrivateKey, batch []map[string]any) *http.Request {
	body, err := json.Marshal(batch)
	must(s.b, err)
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	digest := sha256.Sum256(append([]byte(timestamp), body...))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	must(s.b, err)
	req, err := http.NewRequest(http.MethodPost, s.web+"/webhooks/sendgrid", bytes.NewReader(body))
	must(s.b, err)
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature))
	req.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	return req
}

// textPost is a status callback as Twilio posts and signs it.
func (s *stage) textPost(status map[string]any) *http.Request {
	address := s.web + "/webhooks/twilio/" + status["delivery"].(string)
	form := url.Values{"AccountSid": {s.env["TWILIO_ACCOUNT_SID"]}, "ApiVersion": {"2010-04-01"}, "From": {s.env["TWILIO_FROM"]}, "To": {"+14155550123"},
		"MessageSid": {status["sid"].(string)}, "MessageStatus": {status["status"].(string)}, "SmsSid": {status["sid"].(string)}, "SmsStatus": {status["status"].(string)}}
	mac := hmac.New(sha1.New, []byte(s.env["TWILIO_AUTH_TOKEN"]))
	_, _ = io.WriteString(mac, address)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		_, _ = io.WriteString(mac, name+form.Get(name))
	}
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader([]byte(form.Encode())))
	must(s.b, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return req
}

// report makes all posts beforehand, sends them, and tells how many events a second were taken until the last of the n
// deliveries had its last state.
func (s *stage) report(n, events int, make func(post func(*http.Request))) float64 {
	var posts []*http.Request
	make(func(r *http.Request) { posts = append(posts, r) })
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: posters}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range posters {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(posts); i = int(next.Add(1)) - 1 {
				resp, err := client.Do(posts[i])
				if err != nil {
					s.b.Errorf("post: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				if _ = resp.Body.Close(); resp.StatusCode/100 != 2 {
					s.b.Errorf("web answers %d to a report", resp.StatusCode)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	var delivered int
	s.one(&delivered, "SELECT count(*) FROM deliveries WHERE state = 'delivered'")
	if delivered != n {
		s.b.Errorf("%d rows are delivered, not %d", delivered, n)
	}
	return float64(events) / took.Seconds()
}

// sentRows are the first n rows as their providers know them.
func (s *stage) sentRows(n int) (all []sent) {
	rows, err := s.own.Query(context.Background(), "SELECT id, provider_id, attempt FROM deliveries ORDER BY id LIMIT $1", n)
	must(s.b, err)
	for rows.Next() {
		var d sent
		must(s.b, rows.Scan(&d.id, &d.provider, &d.attempt))
		all = append(all, d)
	}
	must(s.b, rows.Err())
	return all
}
