package road

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/app"
)

// many starts more processes in place of the house's one web and one worker: webs of them stand behind a front that sends
// each request to the next one, whoever asks. taken counts what each web was given.
func (h *house) many(webs, workers int) (taken []*atomic.Int64) {
	h.t.Helper()
	h.stopWeb()
	h.stopWork()
	var fronts []*httputil.ReverseProxy
	start := func() *app.App {
		a, err := app.Open(context.Background(), h.config)
		must(h.t, err)
		h.t.Cleanup(func() { _ = a.Close() })
		return a
	}
	for i := range webs {
		listener, port := listen(h.t)
		a := start()
		run(h.t, fmt.Sprintf("web %d", i), func(ctx context.Context) error { return a.WebOn(ctx, listener) })
		front := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		front.FlushInterval = -1
		fronts, taken = append(fronts, front), append(taken, new(atomic.Int64))
	}
	for i := range workers {
		run(h.t, fmt.Sprintf("worker %d", i), start().Worker)
	}
	u, err := url.Parse(h.web)
	must(h.t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:"+u.Port())
	must(h.t, err)
	var turn atomic.Int64
	front := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(turn.Add(1)) % webs
		taken[n].Add(1)
		fronts[n].ServeHTTP(w, r)
	})}
	go func() { _ = front.Serve(listener) }()
	h.t.Cleanup(func() { _ = front.Close() })
	h.waitFor("both webs", 10*time.Second, func() bool {
		for range webs { // each is asked in its turn
			if h.status("/readyz") != http.StatusOK {
				return false
			}
		}
		return true
	})
	return taken
}

// heard opens a page's stream and returns the names that it is told.
func (c *client) heard(names string) <-chan string {
	c.h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.h.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.h.web+"/events?names="+url.QueryEscape(names), nil)
	must(c.h.t, err)
	resp, err := (&http.Client{Jar: c.http.Jar}).Do(request)
	must(c.h.t, err)
	if resp.StatusCode != http.StatusOK {
		c.h.t.Fatalf("the stream answers %d", resp.StatusCode)
	}
	out := make(chan string, 64)
	go func() {
		defer resp.Body.Close()
		defer close(out)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
				out <- name
			}
		}
	}()
	return out
}

// Two webs and two workers behind a front without affinity, over a real PgBouncer in transaction mode: a sign-in, a signature
// that is undone, forms, live pages and deliveries do not know which process has them, and nothing is sent twice.
func TestScaleOut(t *testing.T) {
	t.Parallel()
	h := open(t, pooled(t), sealed(t), func(env map[string]string) { env["WORKER_PORT"] = "" })
	taken := h.many(2, 2)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+14155550142")
	doctor := h.as("amara-osei")
	undone := h.submitted(ada, "Ada Winter", "email")
	streams := []<-chan string{doctor.heard("message-" + undone.String()), doctor.heard("message-" + undone.String())} // one at each web
	h.exec("UPDATE clinics SET undo_seconds = 120")
	h.sign(doctor, undone)
	for i, stream := range streams {
		h.hears(stream, "message-"+undone.String(), i)
	}
	if status, body := doctor.post("/messages/"+undone.String()+"/undo", url.Values{"version": {h.version(undone)}}); status != http.StatusOK {
		t.Errorf("undo answers %d: %.300s", status, body)
	}
	var ids []uuid.UUID
	for i := range 12 {
		ids = append(ids, h.approved(doctor, ada, "Ada Winter", []string{"email", "sms"}[i%2], 0))
	}
	for _, id := range ids {
		h.waitFor("delivery", 60*time.Second, func() bool { return h.state(id) == "delivered" })
		if n := h.acceptedFor(id); n != 1 {
			t.Errorf("a notice was taken %d times", n)
		}
	}
	if n := h.acceptedFor(undone); n != 0 {
		t.Errorf("what was undone was taken %d times", n)
	}
	for i, n := range taken {
		if n.Load() < 10 {
			t.Errorf("web %d was given %d requests", i, n.Load())
		}
	}
	h.signedOutEverywhere(doctor)
	h.waitFor("the ledger to be sealed", 20*time.Second, func() bool {
		var waiting int
		h.one(&waiting, "SELECT count(*) FROM audit_pending")
		return waiting == 0
	})
	var out strings.Builder
	must(t, app.VerifyLedger(context.Background(), h.config, app.Verifying{}, &out, io.Discard))
}

// hears waits for a name on one stream.
func (h *house) hears(stream <-chan string, name string, n int) {
	h.t.Helper()
	for late := time.After(20 * time.Second); ; {
		select {
		case said, open := <-stream:
			if !open {
				h.t.Fatalf("stream %d ended", n)
			}
			if said == name {
				return
			}
		case <-late:
			h.t.Fatalf("stream %d was never told", n)
		}
	}
}

// signedOutEverywhere: a sign-in that ends at one web is over at the other.
func (h *house) signedOutEverywhere(c *client) {
	h.t.Helper()
	cookies := map[string]*http.Cookie{}
	for _, cookie := range c.http.Jar.Cookies(nil) {
		cookies[cookie.Name] = cookie
	}
	before := &client{h: h, http: &http.Client{Jar: &jar{cookies: cookies}, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	c.post("/sign-out", nil)
	for range 4 {
		if status, body := before.get("/patients"); status == http.StatusOK && strings.Contains(body, "Sign out") {
			h.t.Errorf("signed out, and a web still knows them: %d", status)
		}
	}
}

// Redis is three servers with a sentinel. The one that is written to dies; the house finds the other by itself, live pages
// and the queue too.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	address, kill, master := watched(t)
	h := open(t, address)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+14155550142")
	doctor := h.as("amara-osei")
	first := h.approved(doctor, ada, "Ada Winter", "email", 0)
	h.waitFor("delivery", 30*time.Second, func() bool { return h.state(first) == "delivered" })
	was := master()
	kill()
	h.waitFor("the sentinel to choose the other", 30*time.Second, func() bool { return master() != was })
	h.waitFor("web to find it", 30*time.Second, func() bool {
		_, body := h.client().get("/readyz")
		return strings.Contains(body, `"redis":"ok"`)
	})
	second := h.approved(doctor, ada, "Ada Winter", "sms", 0)
	h.waitFor("delivery by the other", 60*time.Second, func() bool { return h.state(second) == "delivered" })
	for _, id := range []uuid.UUID{first, second} {
		if n := h.acceptedFor(id); n != 1 {
			t.Errorf("a notice was taken %d times", n)
		}
	}
}

// Redis over TLS: a worker that knows who vouches for the server is ready, and one that does not is never.
func TestRedisTLS(t *testing.T) {
	t.Parallel()
	certificate, key := vouched(t)
	port := freePort(t)
	redisServer(t, map[string]string{"cert.pem": certificate, "key.pem": key}, port,
		fmt.Sprintf("port 0\ntls-port %d\ntls-cert-file cert.pem\ntls-key-file key.pem\ntls-ca-cert-file cert.pem\ntls-auth-clients no\nrequirepass a-password-for-tests-only\n", port))
	h := open(t)
	h.stopWork()
	binary := build(t, "worker")
	authority := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(authority, []byte(certificate), 0o600))
	h.env["REDIS_URL"] = fmt.Sprintf("rediss://default:a-password-for-tests-only@127.0.0.1:%d/0", port)
	ready := func(env ...string) (string, func() bool) {
		port := freePort(t)
		cmd := exec.Command(binary)
		cmd.Env = append(env, "PATH="+os.Getenv("PATH"))
		for name, value := range h.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(cmd.Env, fmt.Sprintf("WORKER_PORT=%d", port))
		must(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		address := fmt.Sprintf("http://127.0.0.1:%d", port)
		return address, func() bool {
			resp, err := http.Get(address + "/readyz")
			if err == nil {
				_ = resp.Body.Close()
			}
			return err == nil && resp.StatusCode == http.StatusOK
		}
	}
	_, trusts := ready("SSL_CERT_FILE=" + authority)
	address, doubts := ready("SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/nowhere")
	h.waitFor("the worker that trusts it", 30*time.Second, trusts)
	h.waitFor("the worker that does not to answer at all", 30*time.Second, func() bool {
		resp, err := http.Get(address + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
	if doubts() {
		t.Error("a server that nobody vouches for is trusted")
	}
}

// vouched is a certificate for this machine that signs itself, and its key.
func vouched(t testing.TB) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	raw, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}
