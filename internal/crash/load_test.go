package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is people at work through the front, and what became of each of their requests.
type load struct {
	h        *house
	doctor   *person
	stop     context.CancelFunc
	ctx      context.Context
	working  sync.WaitGroup
	mu       sync.Mutex
	requests map[string]int
	slowest  time.Duration
	bad      []string
	heard    int // events on streams,
	open     int // and how many are open
}

const watchers = 4

// startLoad has people read pages, watch them and sign, until it is stopped. The channel gives the messages to sign.
func startLoad(h *house, sign <-chan *scene) *load {
	h.t.Helper()
	l := &load{h: h, doctor: h.as("amara-osei"), requests: map[string]int{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	h.t.Cleanup(func() { l.stop(); l.working.Wait() })
	for _, path := range []string{"/", "/patients", "/reviews", "/sign-in", "/messages/" + h.cases[0].message.String()} {
		l.working.Go(func() { l.reads(path) })
	}
	for range watchers {
		l.working.Go(l.watches)
	}
	for range 2 {
		l.working.Go(func() { l.signs(sign) })
	}
	return l
}

func (l *load) count(what string, began time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests[what]++
	l.slowest = max(l.slowest, time.Since(began))
	if err != nil {
		l.bad = append(l.bad, what+": "+err.Error())
	}
}

// answered is nil for a whole answer with 200.
func answered(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %d at %s", resp.StatusCode, resp.Request.URL.Path)
	}
	return nil
}

func (l *load) reads(path string) {
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	for l.ctx.Err() == nil {
		began := time.Now()
		l.count("pages", began, answered(l.doctor.http.Get(l.h.base+path)))
		<-pace.C
	}
}

func (l *load) signs(sign <-chan *scene) {
	pace := time.NewTicker(120 * time.Millisecond)
	defer pace.Stop()
	for {
		var s *scene
		var more bool
		select {
		case s, more = <-sign:
		case <-l.ctx.Done():
		}
		if !more {
			return
		}
		began := time.Now()
		l.count("signatures", began, answered(l.doctor.http.PostForm(l.h.base+"/reviews/"+s.message.String()+"/approve", url.Values{"version": {strconv.Itoa(s.version())}})))
		<-pace.C
	}
}

// watches keeps a stream open as a page does: when it ends it comes back after the time that the stream itself named.
func (l *load) watches() {
	for l.ctx.Err() == nil {
		began := time.Now()
		retry, err := l.watch()
		if l.ctx.Err() == nil {
			l.count("streams", began, err)
		}
		select {
		case <-time.After(retry):
		case <-l.ctx.Done():
		}
	}
}

func (l *load) watch() (retry time.Duration, err error) {
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, l.h.base+"/events?names=worklist-"+l.h.ClinicID.String(), nil)
	if err != nil {
		return time.Second, err
	}
	forever := *l.doctor.http
	forever.Timeout = 0
	resp, err := forever.Do(req)
	if err != nil {
		return time.Second, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return time.Second, fmt.Errorf("answered %d", resp.StatusCode)
	}
	l.opened(1)
	defer l.opened(-1)
	retry = time.Second
	for from := bufio.NewReader(resp.Body); ; {
		line, err := from.ReadString('\n')
		if ms, ok := strings.CutPrefix(line, "retry: "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(ms))
			retry = time.Duration(n) * time.Millisecond
		}
		if strings.HasPrefix(line, "event: ") {
			l.mu.Lock()
			l.heard++
			l.mu.Unlock()
		}
		if errors.Is(err, io.EOF) { // a whole answer that has ended: anything else was cut off
			return retry, nil
		}
		if err != nil {
			return retry, err
		}
	}
}

func (l *load) opened(n int) { l.mu.Lock(); defer l.mu.Unlock(); l.open += n }

func (l *load) streams() (heard, open int) { l.mu.Lock(); defer l.mu.Unlock(); return l.heard, l.open }

// done ends the load and tells what failed.
func (l *load) done() []string {
	l.stop()
	l.working.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var bad []string
	for _, one := range l.bad {
		if !strings.Contains(one, context.Canceled.Error()) {
			bad = append(bad, one)
		}
	}
	return bad
}
