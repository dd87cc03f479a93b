package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	countersign "countersign"
	"countersign/internal/clinic"
	"countersign/internal/identity"
	"countersign/internal/logging"
	"countersign/internal/twilio"
	"countersign/internal/waf"
	"countersign/internal/web"
	"countersign/internal/worker"
)

// Web serves on the configured port until ctx ends, then drains. It returns an error when the port cannot be had or a
// page cannot be built.
func (a *App) Web(ctx context.Context) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(a.cfg.Host, strconv.Itoa(a.cfg.Port)))
	if err != nil {
		return fmt.Errorf("PORT %d cannot be had: %w", a.cfg.Port, err)
	}
	return a.WebOn(ctx, listener)
}

// WebOn is Web on a listener that the caller has made; it is closed in every case.
func (a *App) WebOn(ctx context.Context, listener net.Listener) error {
	defer listener.Close()
	a.dial = own(listener)
	boards := map[bool]*board{}
	for _, readOnly := range []bool{true, false} {
		boards[readOnly] = newBoard(a.connect, readOnly, a.cfg.Env)
		defer boards[readOnly].Close()
	}
	a.recorder = a.webFigures()
	server, err := a.webServer(boards[false], boards[true])
	if err != nil {
		return err
	}
	hubbing, stop := context.WithCancel(context.WithoutCancel(ctx)) // streams end with the server, the hub after it
	var hub sync.WaitGroup
	hub.Go(func() { a.hub.Run(hubbing) })
	hub.Go(func() { a.fence.Run(hubbing, false, nil) })
	hub.Go(func() { a.recorder.Run(hubbing) })
	defer hub.Wait()
	defer stop()
	a.log.Log(ctx, logging.Notice, "web is up", "listen", listener.Addr().String())
	err = server.Serve(ctx, listener)
	a.log.Log(ctx, logging.Notice, "web is down")
	return err
}

// own is where a listener is to be reached from this machine.
func own(listener net.Listener) string {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func (a *App) webServer(queues, queuesReadOnly http.Handler) (*web.Server, error) {
	cfg := web.Config{
		Clinic: a.clinic, BaseURL: a.cfg.BaseURL, Env: string(a.cfg.Env), Version: Version(), Templates: countersign.Templates(), Static: countersign.Static(),
		TrustedProxies: a.cfg.TrustedProxies, AddressHeader: a.cfg.AddressHeader, CountryHeader: a.cfg.CountryHeader,
		Limits: a.limits, Rates: web.Rates(a.cfg.Limits), Hub: a.hub, SendGrid: a.sendgrid, Twilio: a.twilio, Inbound: inbound{a.twilio},
		DrainDelay: a.cfg.DrainDelay, DrainTime: max(a.cfg.ShutdownTimeout-a.cfg.DrainDelay, time.Millisecond),
		Fence: a.fence.Word, Score: a.score, Vital: a.recorder.Vital, Queues: queues, QueuesReadOnly: queuesReadOnly, Metrics: a.metrics, MetricsToken: a.cfg.MetricsToken.Reveal(), Log: a.log,
		Identify: logging.WithRequestID, Tag: logging.WithTags, Report: logging.Capture, Panicked: logging.Recover, Trace: trace,
	}
	var err error
	if a.cfg.WAF != "off" {
		if cfg.Filter, err = waf.New(a.cfg.WAF == "block"); err != nil {
			return nil, err
		}
	}
	if o := a.cfg.OIDC; o.Issuer != "" {
		cfg.OIDC, err = identity.NewOIDC(identity.Client{Issuer: o.Issuer, ID: o.ClientID, Secret: o.ClientSecret.Reveal(), Back: a.cfg.BaseURL + "/signed-in"})
	} else {
		cfg.AccessIssuer, cfg.AccessAudience = a.cfg.Access.Issuer, a.cfg.Access.Audience
		cfg.Access, err = identity.NewAccess(cfg.AccessIssuer, cfg.AccessAudience)
	}
	if err != nil {
		return nil, err
	}
	return web.New(cfg)
}

// inbound turns a provider's reply into the web's.
type inbound struct{ twilio *twilio.Client }

func (i inbound) Reply(r *http.Request, raw []byte) (web.Reply, error) {
	reply, err := i.twilio.Reply(r, raw)
	return web.Reply(reply), err
}

// Worker works until ctx ends, then lets tasks under way finish. With WORKER_PORT set it answers /healthz, /readyz and
// /metrics there; its readiness, unlike the web's, includes Redis.
func (a *App) Worker(ctx context.Context) error {
	alerts, err := a.alerts()
	if err != nil {
		return err
	}
	w, err := worker.New(worker.Config{
		Clinic: a.clinic, Redis: a.redis, Model: a.openai, Senders: map[string]clinic.Sender{"email": a.sendgrid, "sms": a.twilio},
		ProviderTime: a.cfg.Times.ProviderTimeout, Shutdown: a.cfg.ShutdownTimeout, RelayEvery: a.cfg.Times.RelayEvery, SweepEvery: a.cfg.Times.ReconcileEvery, RemindEvery: a.cfg.Times.RemindEvery,
		SealEvery: a.cfg.Times.SealEvery, AnchorEvery: a.cfg.Times.AnchorEvery, Anchor: a.anchor(), Anchors: a.anchors(), Concurrency: a.cfg.WorkerConcurrency, Metrics: a.metrics, Log: a.log, Report: logging.Capture, Recover: logging.Recover,
		Tag: logging.WithTags, Alerts: alerts, CheckIn: logging.CheckIn, Trace: trace,
	})
	if err != nil {
		return err
	}
	if port := a.cfg.WorkerPort; port != 0 {
		listener, err := net.Listen("tcp", net.JoinHostPort(a.cfg.Host, strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("WORKER_PORT %d cannot be had: %w", port, err)
		}
		health := &http.Server{Handler: a.workerHealth(w), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
		defer health.Close()
		go func() {
			if err := health.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				a.log.ErrorContext(ctx, "the worker's health address is gone")
			}
		}()
	}
	if a.cfg.LedgerKey == "" {
		a.log.WarnContext(ctx, "LEDGER_KEY is not set: the audit trail is not sealed")
	}
	a.log.Log(ctx, logging.Notice, "worker is up")
	beating, stop := context.WithCancel(context.WithoutCancel(ctx)) // as long as a task may still be under way
	var beats sync.WaitGroup
	beats.Go(func() {
		a.fence.Run(beating, true, func(ctx context.Context, began time.Time, code string) {
			w.Ran(ctx, "fence", a.cfg.Times.FenceEvery, began, code)
		})
	})
	beats.Go(func() { a.workerFigures(w).Run(beating) })
	defer beats.Wait()
	defer stop()
	err = w.Run(ctx)
	a.log.Log(ctx, logging.Notice, "worker is down")
	return err
}

func (a *App) workerHealth(w *worker.Worker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { answer(rw, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		if err := w.Ready(r.Context()); err != nil {
			answer(rw, http.StatusServiceUnavailable, err.Error()) // a code
			return
		}
		answer(rw, http.StatusOK, "ready", "fence", a.fence.Word())
	})
	mux.Handle("GET /metrics", a.metrics.Handler(a.cfg.MetricsToken.Reveal()))
	return mux
}

// answer says a word, and more of them in pairs of name and word.
func answer(w http.ResponseWriter, status int, word string, more ...string) {
	said := map[string]string{"status": word}
	for pair := range slices.Chunk(more, 2) {
		said[pair[0]] = pair[1]
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(said)
}
