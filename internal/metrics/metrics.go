package metrics

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is a registry of its own with what every process measures. Several
// may live in one process.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	tasks    *prometheus.HistogramVec
	queries  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	webhooks *prometheus.CounterVec
	lists    *prometheus.CounterVec
	figures  *figures
}

// New makes a registry with the figures of the Go runtime and the process, and
// empty ones for requests, tasks, queries, refusals, webhooks and the six that
// are promised.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: histogram("countersign_http_request_seconds", "Time to answer a request.",
			[]float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}, "route", "method", "status"),
		tasks: histogram("countersign_task_seconds", "Time to do one row that a task of the queue asks for.",
			[]float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60, 120}, "task", "outcome"),
		queries: histogram("countersign_db_query_seconds", "Time from sending a query to having read its result.",
			[]float64{.0005, .001, .002, .005, .01, .025, .05, .1, .5, 1, 5}, "query", "outcome"),
		refused:  counter("countersign_refused_total", "Requests refused before anything was done, by the rule that refused them.", "rule"),
		webhooks: counter("countersign_webhooks_total", "Webhooks, by provider and whether their signature holds.", "provider", "outcome"),
		lists: counter("countersign_lists_total", "Lists, by the database that answered them, and why it was the primary although there is a replica.",
			"by", "reason"),
		figures: newFigures(),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.tasks, m.queries, m.refused, m.webhooks, m.lists)
	m.registry.MustRegister(m.figures.all()...)
	return m
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Registry is where a room adds figures of its own.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Request counts an answered request. The route is the router's pattern, such
// as /m/:token, and never the path; for a request that no route took it is
// empty. A method that nobody defined counts as "other".
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, methodLabel(method), statusClass(status)).Observe(took.Seconds())
}

// Refused counts a request that was refused by a limit or by a list of networks.
func (m *Metrics) Refused(rule string) { m.refused.WithLabelValues(rule).Inc() }

// Webhook counts a report of a provider, by "verified" or "forged".
func (m *Metrics) Webhook(provider, outcome string) {
	m.webhooks.WithLabelValues(provider, outcome).Inc()
}

// Listed counts a list that could have been read from a replica: by "replica", or by "primary" for a reason.
func (m *Metrics) Listed(by, reason string) { m.lists.WithLabelValues(by, reason).Inc() }

// Task counts a row that a task of the queue asked for, by the task's type, such as delivery.send.
func (m *Metrics) Task(task string, err error, took time.Duration) {
	m.tasks.WithLabelValues(task, outcome(err)).Observe(took.Seconds())
}

// Handler serves the figures to who sends "Authorization: Bearer <token>", and
// answers 401 to others. With an empty token there is nothing here: 404.
func (m *Metrics) Handler(token string) http.Handler {
	if token == "" {
		return http.NotFoundHandler()
	}
	want := sha256.Sum256([]byte(token))
	figures := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, isBearer := bearer(r)
		hash := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(hash[:], want[:]) != 1 || !isBearer {
			w.Header().Set("WWW-Authenticate", `Bearer realm="metrics"`)
			http.Error(w, "A token is needed to read the figures.", http.StatusUnauthorized)
			return
		}
		figures.ServeHTTP(w, r)
	})
}

func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
