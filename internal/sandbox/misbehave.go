package sandbox

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxBody is the most a provider reads of one request, in bytes.
const maxBody = 30 << 20

type faultKey struct{}

// faultOf is the fault that this request must act out itself: the model's own, or a cut in mid-stream.
func faultOf(r *http.Request) Fault {
	f, _ := r.Context().Value(faultKey{}).(Fault)
	return f
}

// faulty wraps a provider's address with its faults of the moment.
func (s *Sandbox) faulty(provider string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.faults.pick(provider, requestFault, modelFault)
		if f.Kind == "refuse" {
			cut(w, false)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "the request is too large or was cut off"})
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case f.Kind == "":
			next(w, r)
		case f.Kind == "slow" && provider == openai: // a model begins late, and then streams
			if s.wait(r, f, 2000) {
				next(w, r)
			}
		case f.Kind == "slow": // what was taken stays taken, whoever hangs up before hearing of it
			honest := record(next, r)
			if s.wait(r, f, 2000) {
				honest.replay(w)
			}
		case faultKinds[f.Kind] == modelFault || provider == openai && f.Kind == "reset-after-headers":
			next(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, f)))
		default:
			if f.accepts() {
				if honest := record(next, r); honest.status >= 400 {
					honest.replay(w) // a request that the provider refuses anyway is refused honestly
					return
				}
			}
			s.actOut(w, r, provider, f)
		}
	})
}

func (s *Sandbox) wait(r *http.Request, f Fault, standardMillis int) bool {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.calls.ctx, cancel)()
	return pause(ctx, f.millis(standardMillis))
}

// actOut gives the caller the fault in place of an answer.
func (s *Sandbox) actOut(w http.ResponseWriter, r *http.Request, provider string, f Fault) {
	switch f.Kind {
	case "timeout":
		s.wait(r, f, 30_000)
		cut(w, true)
	case "reset-before-headers", "reset-after-headers":
		cut(w, true)
	case "unreadable-2xx":
		w.Header().Set("Content-Type", "text/html")
		status := map[string]int{sendgrid: http.StatusAccepted, twilio: http.StatusCreated}[provider]
		w.WriteHeader(max(status, http.StatusOK))
		io.WriteString(w, "<html><body>upstream connect er")
	case "429":
		tooManyRequests(w, provider, time.Duration(max(f.RetryAfter, 1))*time.Second)
	case "302":
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
	default: // 401, 403, 500, 503
		status, _ := strconv.Atoi(f.Kind)
		providerError(w, provider, status)
	}
}

// tooManyRequests says when to come again, in the header that everybody knows and in SendGrid's own.
func tooManyRequests(w http.ResponseWriter, provider string, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	if provider == sendgrid {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(wait).Unix(), 10))
	}
	providerError(w, provider, http.StatusTooManyRequests)
}

// providerError answers an error in the provider's own words.
func providerError(w http.ResponseWriter, provider string, status int) {
	switch provider {
	case sendgrid:
		message := map[int]string{401: mailBadKey, 403: "access forbidden", 429: "too many requests"}[status]
		if message == "" {
			message = "An internal error has occurred" // 500 and 503
		}
		writeJSON(w, status, mailErrors{[]mailError{{Message: message}}})
	case twilio:
		code := map[int]int{401: 20003, 403: 20006, 429: 20429, 500: 20500, 503: 20503}[status]
		writeTwilioError(w, status, code, "")
	case openai:
		kind := map[int]string{401: "invalid_request_error", 403: "invalid_request_error", 429: "requests"}[status]
		code := map[int]string{401: "invalid_api_key", 403: "unsupported_country_region_territory", 429: "rate_limit_exceeded"}[status]
		if kind == "" {
			kind, code = "server_error", ""
		}
		writeModelError(w, status, kind, code, "", http.StatusText(status))
	}
}

// cut ends the connection without an answer: by a reset, or by closing it.
func cut(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a plain connection: let the server cut it
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// recorded is an answer that nobody has seen yet.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func record(next http.HandlerFunc, r *http.Request) *recorded {
	rec := &recorded{header: http.Header{}}
	next(rec, r)
	return rec
}

func (rec *recorded) Header() http.Header { return rec.header }

func (rec *recorded) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
	}
}

func (rec *recorded) Write(b []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	return rec.body.Write(b)
}

func (rec *recorded) replay(w http.ResponseWriter) {
	for name, values := range rec.header {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.status)
	w.Write(rec.body.Bytes())
}
