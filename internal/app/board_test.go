package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdp "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/worker"
)

// boardAt serves a board as the web server does, headers included, over a queue with one task that failed.
func boardAt(t *testing.T, readOnly bool) (address string, id uuid.UUID, rc *redis.Client) {
	t.Helper()
	rc = freeRedis(t)
	id = uuid.Must(uuid.NewV7())
	if err := worker.NewQueue(rc).Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: id, Dispatch: 1}); err != nil {
		t.Fatal(err)
	}
	planted := asynq.NewTask("delivery.send", []byte(`{"note":"Rosa Delgado coughs"}`)) // no task of ours looks so
	if _, err := asynq.NewClientFromRedisClient(rc).Enqueue(planted, asynq.Queue("deliver"), asynq.TaskID("planted:1")); err != nil {
		t.Fatal(err)
	}
	b := newBoard(func() *redis.Client { return redis.NewClient(rc.Options()) }, readOnly, config.Staging)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, boardPath) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Embedder-Policy": "require-corp",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": "default-src 'none'"} {
			w.Header().Set(name, value)
		}
		b.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.Close(); b.Close() })
	return server.URL + boardPath, id, rc
}

func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// plant leaves a patient's words wherever a task can carry some: payload, result and error, in each state that a task has.
func plant(t *testing.T, rc *redis.Client) {
	t.Helper()
	words := "Rosa Delgado coughs"
	client := asynq.NewClientFromRedisClient(rc)
	put := func(kind string, more ...asynq.Option) {
		options := append([]asynq.Option{asynq.Queue("draft"), asynq.TaskID("planted-" + kind)}, more...)
		if _, err := client.Enqueue(asynq.NewTask(kind, []byte(`{"note":"`+words+`"}`)), options...); err != nil {
			t.Fatal(err)
		}
	}
	put("scheduled", asynq.ProcessIn(time.Hour))
	put("grouped", asynq.Group("g"))
	put("retried", asynq.MaxRetry(5))
	put("archived", asynq.MaxRetry(0))
	put("coded", asynq.MaxRetry(0))
	put("panicked", asynq.MaxRetry(0))
	put("completed", asynq.Retention(time.Hour))
	put("active")
	var came sync.WaitGroup
	came.Add(6)
	over := make(chan struct{})
	server := asynq.NewServerFromRedisClient(rc, asynq.Config{Queues: map[string]int{"draft": 1}, Concurrency: 6, TaskCheckInterval: 50 * time.Millisecond,
		LogLevel: asynq.FatalLevel, ShutdownTimeout: time.Second})
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		came.Done()
		switch task.Type() {
		case "completed":
			_, err := task.ResultWriter().Write([]byte(words))
			return err
		case "active":
			<-over
			return nil
		case "coded":
			return errors.New("database_away")
		case "panicked":
			panic(words)
		}
		return errors.New(words + " and \"more\" of it")
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(over); server.Shutdown() })
	came.Wait()
	inspector := asynq.NewInspectorFromRedisClient(rc)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		info, err := inspector.GetQueueInfo("draft")
		if err == nil && info.Archived == 3 && info.Retry == 1 && info.Completed == 1 && info.Active == 1 && info.Scheduled == 1 && info.Aggregating == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the tasks are not where they should be: %+v, %v", info, err)
		}
	}
}

// Every address of the board that answers with tasks shows ids and codes, whatever is in their payloads, results and errors.
func TestBoardShowsIdsOnly(t *testing.T) {
	t.Parallel()
	address, id, rc := boardAt(t, true)
	plant(t, rc)
	paths := []string{"/api/queues/deliver/pending_tasks", "/api/queues/deliver/tasks/planted:1", "/api/servers", "/api/queues", "/api/queues/draft",
		"/api/queue_stats", "/api/queues/draft/groups", "/api/queues/draft/groups/g/aggregating_tasks", "/api/scheduler_entries", "/api/redis_info"}
	for _, state := range []string{"active", "scheduled", "retry", "archived", "completed"} {
		paths = append(paths, "/api/queues/draft/"+state+"_tasks")
	}
	for _, kind := range []string{"scheduled", "grouped", "retried", "archived", "coded", "panicked", "completed", "active"} {
		paths = append(paths, "/api/queues/draft/tasks/planted-"+kind)
	}
	for _, path := range paths {
		resp, body := get(t, address+path)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s answers %d as %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		if strings.Contains(body, "Rosa") || strings.Contains(body, "cough") {
			t.Errorf("%s shows a patient's words: %s", path, body)
		}
	}
	if _, body := get(t, address+"/api/queues/deliver/pending_tasks"); !strings.Contains(body, `"payload":"`+id.String()+`"`) {
		t.Errorf("the id is not shown: %s", body)
	}
	if _, body := get(t, address+"/api/queues/draft/archived_tasks"); !strings.Contains(body, `"error_message":"database_away"`) || strings.Count(body, `"error_message":"-"`) != 2 {
		t.Errorf("the codes are not shown, or more: %s", body)
	}
}

// Who may only look cannot change a queue, by any method or address; who may operate can.
func TestBoardReadOnly(t *testing.T) {
	t.Parallel()
	for _, readOnly := range []bool{true, false} {
		address, _, rc := boardAt(t, readOnly)
		for _, act := range [][2]string{{http.MethodPost, "/api/queues/deliver:pause"}, {http.MethodDelete, "/api/queues/deliver/pending_tasks/planted:1"}} {
			req, err := http.NewRequest(act[0], address+act[1], nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if readOnly != (resp.StatusCode == http.StatusForbidden) {
				t.Errorf("read-only %v: %s %s answers %d", readOnly, act[0], act[1], resp.StatusCode)
			}
		}
		info, err := asynq.NewInspectorFromRedisClient(rc).GetQueueInfo("deliver")
		if err != nil || info.Paused == readOnly || (info.Size == 2) != readOnly {
			t.Errorf("read-only %v: paused %v, %d tasks, %v", readOnly, info.Paused, info.Size, err)
		}
	}
}

// The page carries a nonce of its own on each visit, and nothing from elsewhere.
func TestBoardFrame(t *testing.T) {
	t.Parallel()
	address, _, _ := boardAt(t, true)
	first, body := get(t, address)
	second, _ := get(t, address+"/queues/deliver") // an address inside the board
	policy := first.Header.Get("Content-Security-Policy")
	if policy == second.Header.Get("Content-Security-Policy") || !strings.Contains(policy, "'nonce-") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy is %s", policy)
	}
	for _, bad := range []string{"googleapis", "<script>", "manifest", "/[["} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	if n := strings.Count(body, "<script nonce="); n != 2 {
		t.Errorf("%d scripts are named", n)
	}
	if resp, script := get(t, address+"/static/js/main.5adda2da.chunk.js"); resp.StatusCode != http.StatusOK || len(script) < 1000 ||
		!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/javascript") {
		t.Errorf("the board's script answers %d", resp.StatusCode)
	}
}

// In a real browser, under its policy: styled, drawn, and not a word on the console.
func TestBoardInABrowser(t *testing.T) {
	t.Parallel()
	address, id, _ := boardAt(t, false)
	ctx, cancel := browser(t)
	defer cancel()
	var mu sync.Mutex
	var said []string
	complain := func(text string) { mu.Lock(); said = append(said, text); mu.Unlock() }
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complain(string(e.Entry.Level) + ": " + e.Entry.Text + " " + e.Entry.URL)
		case *cdp.EventExceptionThrown:
			complain(e.ExceptionDetails.Error())
		case *cdp.EventConsoleAPICalled:
			complain(string(e.Type))
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, strings.TrimSuffix(address, boardPath)) && !strings.HasPrefix(e.Request.URL, "data:") {
				complain("asked elsewhere: " + e.Request.URL)
			}
		}
	})
	var position, text, tasks string
	if err := chromedp.Run(ctx, log.Enable(), network.Enable(), chromedp.EmulateViewport(1280, 900), chromedp.Navigate(address),
		chromedp.WaitVisible(`//a[. = "deliver"]`, chromedp.BySearch),
		chromedp.Evaluate(`getComputedStyle(document.querySelector("header")).position`, &position),
		chromedp.Click(`//a[. = "deliver"]`, chromedp.BySearch),
		chromedp.WaitVisible(`//p[contains(., "Total")] | //button[contains(., "Pending")] | //*[contains(text(), "Tasks")]`, chromedp.BySearch),
		chromedp.Text("body", &text, chromedp.ByQuery)); err != nil {
		t.Fatalf("%v; the browser said %v", err, said)
	}
	for path, shows := range map[string]string{"/queues/deliver?status=pending": id.String()[:8], "/servers": "Server", "/redis": "Redis Info", "/schedulers": "Scheduler"} {
		if err := chromedp.Run(ctx, chromedp.Navigate(address+path), chromedp.WaitVisible(`//main//*[contains(., "`+shows+`")]`, chromedp.BySearch),
			chromedp.Text("body", &tasks, chromedp.ByQuery)); err != nil {
			t.Fatalf("%s: %v; the browser said %v", path, err, said)
		}
		text += tasks
	}
	if position != "absolute" {
		t.Errorf("the board has no style: its header is %s", position)
	}
	if strings.Contains(text, "Rosa") {
		t.Error("a payload is on the screen")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) > 0 {
		t.Errorf("the browser said %s", strings.Join(said, "\n"))
	}
}

func browser(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		t.Fatal("CHROMIUM is not set: run the tests with make test, which finds or installs one")
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	ctx, cancel := chromedp.NewContext(allocator)
	ctx, timeout := context.WithTimeout(ctx, 40*time.Second)
	return ctx, func() { _ = chromedp.Cancel(ctx); timeout(); cancel(); stop() }
}
