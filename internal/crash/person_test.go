package crash

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"countersign/internal/worker"
)

// person is somebody at a browser.
type person struct {
	h    *house
	http *http.Client
}

// wallet keeps cookies by name and gives them back on http://localhost, Secure ones too, as Chromium does.
type wallet struct {
	mu      sync.Mutex
	cookies map[string]string
}

func (w *wallet) SetCookies(_ *url.URL, set []*http.Cookie) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range set {
		w.cookies[c.Name] = c.Value
	}
}

func (w *wallet) Cookies(*url.URL) (list []*http.Cookie) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, value := range w.cookies {
		list = append(list, &http.Cookie{Name: name, Value: value})
	}
	return list
}

// as signs somebody in through the sandbox's page.
func (h *house) as(subject string) *person {
	h.t.Helper()
	p := &person{h: h, http: &http.Client{Jar: &wallet{cookies: map[string]string{}}, Timeout: 20 * time.Second}}
	status, body := p.get(h.outside.address + "/sign-in/" + subject + "?redirect_url=/")
	if status != http.StatusOK || !strings.Contains(body, "Sign out") {
		h.t.Fatalf("signing in as %s: %d %.300s", subject, status, body)
	}
	return p
}

func (p *person) get(address string) (int, string) {
	p.h.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.h.base + address
	}
	resp, err := p.http.Get(address)
	must(p.h.t, err)
	return read(p.h, resp)
}

// post sends a form; the error says that there was no answer.
func (p *person) post(path, version string) (int, string, error) {
	resp, err := p.http.PostForm(p.h.base+path, url.Values{"version": {version}})
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func read(h *house, resp *http.Response) (int, string) {
	h.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return resp.StatusCode, string(body)
}

// waiting is how many rows the tasks name that the queue still has to begin. What a killed worker had begun stays «active» for a minute.
func (h *house) waiting() (rows int) {
	h.t.Helper()
	queue := asynq.NewInspectorFromRedisClient(h.redis)
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){queue.ListPendingTasks, queue.ListScheduledTasks, queue.ListRetryTasks} {
		tasks, err := list("deliver", asynq.PageSize(1000))
		if err != nil { // there is no queue before the first task
			return 0
		}
		for _, task := range tasks {
			rows += len(strings.Fields(worker.PayloadIDs(task.Payload)))
		}
	}
	return rows
}
