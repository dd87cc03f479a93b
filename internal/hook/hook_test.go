package hook

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The example of the convention itself: whoever verifies with a library of theirs comes to the same.
func TestSignAsTheConventionSays(t *testing.T) {
	t.Parallel()
	key, err := Key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the signature is %s", got)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)),
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if _, err := Key(bad); err == nil {
			t.Errorf("the secret %q: %v", bad, err)
		}
	}
	if _, err := New("http://x.example", "whsec_short"); err == nil {
		t.Error("a caller with a bad secret was made")
	}
}

// What arrives can be verified; a later attempt has the same id, and its own time.
func TestPost(t *testing.T) {
	t.Parallel()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	key, err := Key(secret)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at, err := strconv.ParseInt(r.Header.Get(HeaderTimestamp), 10, 64)
		if err != nil || Sign(key, r.Header.Get(HeaderID), time.Unix(at, 0), body) != r.Header.Get(HeaderSignature) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		seen = append(seen, r.Header.Get(HeaderID)+" "+r.Header.Get(HeaderTimestamp)+" "+r.Header.Get("Content-Type")+" "+string(body))
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, secret)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, second := range []int64{1_700_000_000, 1_700_000_060} {
		c.now = func() time.Time { return time.Unix(second, 0) }
		if err := c.Post(t.Context(), "notice-1", []byte(`{"type":"alert.fired"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 || !strings.HasPrefix(seen[0], "notice-1 1700000000 application/json {") || !strings.HasPrefix(seen[1], "notice-1 1700000060 ") {
		t.Errorf("what arrived: %q", seen)
	}
	other, err := New(server.URL, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Post(t.Context(), "notice-1", nil); err == nil || err.Error() != "http_401" {
		t.Errorf("a call signed by another key: %v", err)
	}
}

// What is not 2xx was not taken, and a redirect is not followed; errors tell a code and no address.
func TestCodes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/fine", http.StatusFound)
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	address := server.URL
	for path, want := range map[string]string{"/fine": "", "/moved": "http_302", "/down": "http_503"} {
		c, _ := New(address+path, "")
		if err := c.Beat(t.Context()); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		c.Close()
	}
	server.Close()
	for given, want := range map[string]string{address: "unreachable", "http://bad host": "address"} {
		c, _ := New(given, "")
		if err := c.Beat(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
