package crash

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func listenAt(port string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:"+port) }

// The settings of a rolling deploy are production's, LIMIT_ADDRESS aside: all of the test's people sit behind one address.
var rolling = map[string]string{"TIME_LEASE": "90s", "TIME_PROVIDER_TIMEOUT": "20s", "TIME_START_WINDOW": "15s", "TIME_REENQUEUE": "60s",
	"SHUTDOWN_TIMEOUT": "25s", "DRAIN_DELAY": "1s", "LIMIT_ADDRESS": "100000", "LIMIT_PERSON": "100000", "LOG_LEVEL": "notice"}

// A rolling deploy, twice over, while people read, watch and sign: no request fails, no stream is cut off, and each message
// that was signed goes out once. Who is told to stop says so, ends what is under way, and exits 0 in its time.
func TestRollingDeploy(t *testing.T) {
	h := open(t)
	for name, value := range rolling {
		h.env[name] = value
	}
	f := openFront(h)
	for range 36 {
		h.submitted(answers[0])
	}
	web, at := f.web(h)
	worker := h.start("worker", "")
	worker.says("worker is up")
	sign := make(chan *scene, len(h.cases))
	l := startLoad(h, sign)
	began, slow := time.Now(), h.cases[:2]
	batches := [][]*scene{h.cases[2:12], h.cases[12:24], h.cases[24:35]}
	for i, s := range slow {
		last := len(batches[i]) - 1
		give(sign, batches[i][:last])
		next, nextAt := f.web(h)
		h.stopUnder(l, s, web, at)
		worker = h.replaceWorker(worker, func() { give(sign, batches[i][last:]) })
		web, at = next, nextAt
	}
	give(sign, batches[2])
	await(t, "all streams to be open again", func() bool { _, open := l.streams(); return open == watchers })
	before, _ := l.streams()
	give(sign, h.cases[35:])
	close(sign)
	await(t, "every message to be signed", func() bool {
		return one[int](h, "SELECT count(*) FROM deliveries") == len(h.cases)
	})
	await(t, "an event on a stream of the last web", func() bool { heard, _ := l.streams(); return heard > before })
	for _, s := range h.cases {
		s.find()
	}
	h.rest((*scene).heard)
	for _, complaint := range append(l.done(), f.complaints()...) {
		t.Error(complaint)
	}
	t.Logf("rolled twice in %s: %d pages, %d signatures, %d requests under way at a stop, %d streams with %d events, %d deliveries; the slowest request took %s",
		time.Since(began).Round(time.Millisecond), l.requests["pages"], l.requests["signatures"], len(slow), l.requests["streams"], l.heard, len(h.cases),
		l.slowest.Round(time.Millisecond))
}

func give(to chan<- *scene, all []*scene) {
	for _, s := range all {
		to <- s
	}
}

// stopUnder stops a web while one of its requests is half received. It must take the rest of it after its door has closed.
func (h *house) stopUnder(l *load, s *scene, web *process, at *back) {
	h.t.Helper()
	form := url.Values{"version": {strconv.Itoa(s.version())}}.Encode()
	body, feed := io.Pipe()
	begun := make(chan struct{})
	req, err := http.NewRequest(http.MethodPost, at.url.String()+"/reviews/"+s.message.String()+"/approve", body)
	must(h.t, err)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(begun) }}))
	req.Host, req.ContentLength = strings.TrimPrefix(h.base, "http://"), int64(len(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Expect", "100-continue") // which web says when it reads: then the request is under way
	client := &http.Client{Jar: l.doctor.http.Jar, Transport: &http.Transport{ExpectContinueTimeout: patience, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ended := make(chan error, 1)
	go func() {
		resp, err := client.Do(req)
		if err == nil && resp.StatusCode == http.StatusSeeOther {
			err = resp.Body.Close()
		} else {
			err = answered(resp, err)
		}
		ended <- err
	}()
	<-begun
	_, err = io.WriteString(feed, form[:4])
	must(h.t, err)
	stopped := time.Now()
	must(h.t, web.cmd.Process.Signal(syscall.SIGTERM))
	await(h.t, "the door of the web that stops to be closed", func() bool {
		conn, err := net.DialTimeout("tcp", at.url.Host, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	_, err = io.WriteString(feed, form[4:])
	must(h.t, err)
	must(h.t, feed.Close())
	if err := <-ended; err != nil {
		h.t.Errorf("a request that was under way: %v", err)
	}
	web.awaitEnd()
	if took := time.Since(stopped); web.cmd.ProcessState.ExitCode() != 0 || took > 25*time.Second {
		h.t.Errorf("web stopped after %s: %s", took, web.cmd.ProcessState)
	}
}

// replaceWorker stops a worker while the notice of one more signature is with the provider; the next one is up already.
func (h *house) replaceWorker(old *process, sign func()) *process {
	h.t.Helper()
	release := h.outside.hold()
	defer release()
	sign()
	await(h.t, "a notice to be with the provider", func() bool {
		return one[int](h, "SELECT count(*) FROM deliveries WHERE state = 'sending'") > 0
	})
	next := h.start("worker", "")
	next.says("worker is up")
	stopped := time.Now()
	must(h.t, old.cmd.Process.Signal(syscall.SIGTERM))
	old.says("worker takes no new tasks")
	release()
	old.awaitEnd()
	if took := time.Since(stopped); old.cmd.ProcessState.ExitCode() != 0 || took > 25*time.Second {
		h.t.Errorf("the worker stopped after %s: %s", took, old.cmd.ProcessState)
	}
	return next
}
