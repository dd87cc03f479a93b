package app

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/hibiken/asynqmon"

	"countersign/internal/config"
	"countersign/internal/worker"
)

// boardPath is where the queue board stands; it knows its own addresses by it.
const boardPath = "/ops/queues"

// board is asynq's own board, framed: under its own Content-Security-Policy, without the web fonts that it would load
// from elsewhere, showing ids where payloads and results are, and refusing every change when it is read-only. Who may
// see it is for the web server to ask.
type board struct {
	mon      *asynqmon.HTTPHandler
	readOnly bool
	stage    config.Env
}

func newBoard(redis redisMaker, readOnly bool, stage config.Env) *board {
	return &board{readOnly: readOnly, stage: stage, mon: asynqmon.New(asynqmon.Options{
		RootPath:     boardPath,
		RedisConnOpt: redis,
		ReadOnly:     readOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(func(_ string, payload []byte) string {
			return worker.PayloadIDs(payload)
		}),
		ResultFormatter: asynqmon.ResultFormatterFunc(func(string, []byte) string { return "-" }),
	})}
}

// Close lets go of the board's connections.
func (b *board) Close() error { return b.mon.Close() }

// ServeHTTP answers under boardPath.
func (b *board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "You may look at the queues, but not change them.", http.StatusForbidden)
		return
	}
	if strings.HasPrefix(r.URL.Path, boardPath+"/static/") {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		b.mon.ServeHTTP(w, r)
		return
	}
	page := &buffered{header: http.Header{}, status: http.StatusOK}
	b.mon.ServeHTTP(page, r)
	body := page.body.Bytes()
	if strings.HasPrefix(r.URL.Path, boardPath+"/api/") {
		body = codesOnly(body)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if page.header.Get("Content-Type") == "" && len(body) > 0 && (body[0] == '{' || body[0] == '[') {
			page.header.Set("Content-Type", "application/json; charset=utf-8") // which the board leaves to be guessed
		}
	} else if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<!doctype html")) {
		nonce := newNonce()
		body = banner(frame(body, nonce), nonce, b.stage)
		w.Header().Set("Content-Security-Policy", boardPolicy(nonce))
		page.header.Set("Content-Type", "text/html; charset=utf-8")
	}
	for name, values := range page.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(page.status)
	_, _ = w.Write(body)
}

// errorText is where the board's answers hold what a task failed by, as Redis has it.
var errorText = regexp.MustCompile(`"error_message":"((?:[^"\\]|\\.)*)"`)

// aCode is what our tasks fail by; asynq adds one sentence of its own.
var aCode = regexp.MustCompile(`^([a-z0-9_.-]{0,60}|asynq: task lease expired)$`)

// codesOnly leaves out every error that is no code. Our own are codes; what else may stand in Redis is not for the screen.
func codesOnly(body []byte) []byte {
	return errorText.ReplaceAllFunc(body, func(field []byte) []byte {
		if aCode.Match(errorText.FindSubmatch(field)[1]) {
			return field
		}
		return []byte(`"error_message":"-"`)
	})
}

// boardPolicy allows the board's own scripts by name, its own files and its own questions. Its style sheets are made
// by its scripts, which pass the nonce on.
func boardPolicy(nonce string) string {
	return "default-src 'none'; script-src 'self' 'nonce-" + nonce + "'; style-src 'nonce-" + nonce + "'; img-src 'self' data:; " +
		"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'; report-uri /csp-report"
}

var (
	outsideLink  = regexp.MustCompile(`<link[^>]+(?:fonts\.googleapis\.com|rel="manifest")[^>]*>`)
	inlineScript = regexp.MustCompile(`<script>`)
)

// frame takes out what comes from elsewhere and names the inline scripts. The meta element is where the board's
// style library looks for the nonce.
func frame(page []byte, nonce string) []byte {
	page = outsideLink.ReplaceAll(page, nil)
	page = inlineScript.ReplaceAll(page, []byte(`<script nonce="`+nonce+`">`))
	return bytes.Replace(page, []byte("<head>"), []byte(`<head><meta property="csp-nonce" content="`+nonce+`"/>`), 1)
}

// banner leads back from the board, and says on it, too, when this is not production: at its lower edge, since its own bar
// has the upper one. The board's one link to somewhere else is not shown, and keeps its place above our line: its makers are not
// whom our people turn to.
func banner(page []byte, nonce string, stage config.Env) []byte {
	words := ""
	if stage != config.Production {
		words = ` This is the <b>` + string(stage) + `</b> stage, not the real clinic.`
	}
	return bytes.Replace(page, []byte("<body>"), []byte(`<body><style nonce="`+nonce+`">aside.env{position:fixed;z-index:9999;bottom:0;left:0;right:0;`+
		`padding:4px 16px;background:#fff3cd;color:#3d2f00;border-top:1px solid #b58900;font:14px/24px sans-serif}aside.env a{color:inherit}a[href*="//github.com/"]{visibility:hidden!important}</style>`+
		`<aside class="env" aria-label="Where you are"><a href="/status">Back to Countersign</a>`+words+`</aside>`), 1)
}

func newNonce() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return base64.RawStdEncoding.EncodeToString(raw)
}

// buffered keeps a small page until it has been framed.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header         { return b.header }
func (b *buffered) WriteHeader(status int)      { b.status = status }
func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }
