package identity

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

func verify(t *testing.T, access *Access, k *token) error {
	t.Helper()
	_, err := access.Verify(t.Context(), k.String())
	return err
}

func TestKeysAreFetchedOnceAndRefreshedHourly(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access := team.access(t)
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 1}, {0, 1}, {59 * time.Minute, 1}, {time.Minute, 2}, {30 * time.Minute, 2}, {5 * time.Hour, 3}} {
		team.pass(step.pass)
		if err := verify(t, access, team.token()); err != nil {
			t.Fatal(err)
		}
		if got := team.fetched(); got != step.want {
			t.Fatalf("%d fetches after %v, want %d", got, step.pass, step.want)
		}
	}
}

func TestUnknownKeysCostOneFetchAMinute(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access := team.access(t)
	if err := verify(t, access, team.token()); err != nil {
		t.Fatal(err)
	}
	rotated := team.token()
	rotated.header["kid"], rotated.sign = "key-1", withRSA(1)
	for range 5 {
		if err := verify(t, access, rotated); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	}
	if got := team.fetched(); got != 1 {
		t.Errorf("%d fetches within a minute, want 1", got)
	}
	team.publish(nil, "key-0", "key-1")
	team.pass(time.Minute)
	if err := verify(t, access, rotated); err != nil {
		t.Errorf("a new key is not found after a minute: %v", err)
	}
	team.publish(nil, "key-1")
	team.pass(time.Hour)
	if err := verify(t, access, team.token()); !errors.Is(err, ErrRefused) {
		t.Errorf("a withdrawn key gave %v", err)
	}
}

func TestManyCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access, good := team.access(t), team.token().String()
	asked, release := make(chan struct{}, 64), make(chan struct{})
	team.publish(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		_, _ = w.Write(keySet("key-0"))
	})
	var callers sync.WaitGroup
	results := make(chan error, 32)
	call := func() {
		_, err := access.Verify(t.Context(), good)
		results <- err
	}
	callers.Go(call)
	<-asked // the fetch is under way: whoever comes now must wait for it
	for range cap(results) - 1 {
		callers.Go(call)
	}
	close(release)
	callers.Wait()
	for range cap(results) {
		if err := <-results; err != nil {
			t.Errorf("a caller during the fetch got %v", err)
		}
	}
	if got := team.fetched(); got != 1 {
		t.Errorf("%d fetches, want 1", got)
	}
}

func TestLastGoodKeysAreKeptForADay(t *testing.T) {
	t.Parallel()
	team := newIssuer(t)
	access := team.access(t)
	if err := verify(t, access, team.token()); err != nil {
		t.Fatal(err)
	}
	team.publish(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	team.pass(24*time.Hour - time.Second)
	if err := verify(t, access, team.token()); err != nil {
		t.Errorf("within a day: %v", err)
	}
	team.pass(time.Second)
	if err := verify(t, access, team.token()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after a day: %v", err)
	}
	team.publish(nil, "key-0")
	team.pass(time.Minute)
	if err := verify(t, access, team.token()); err != nil {
		t.Errorf("when the issuer is back: %v", err)
	}
}

func TestNoKeysLetNobodyIn(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keySet("key-0")) }))
	t.Cleanup(elsewhere.Close)
	write := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"an error page": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(keySet("key-0"))
		},
		"a redirect":        func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"not JSON":          write([]byte("<html>")),
		"no keys":           write(keySet()),
		"over 1 MiB":        write(append(keySet("key-0"), bytes.Repeat([]byte(" "), maxAnswer)...)),
		"a hung connection": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"an encryption key": write(bytes.ReplaceAll(keySet("key-0"), []byte(`"sig"`), []byte(`"enc"`))),
		"another algorithm": write(bytes.ReplaceAll(keySet("key-0"), []byte(`"RS256"`), []byte(`"PS256"`))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			team := newIssuer(t)
			team.publish(answer)
			access := team.access(t)
			if err := verify(t, access, team.token()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("error is %v", err)
			}
			team.publish(nil, "key-0")
			if err := verify(t, access, team.token()); !errors.Is(err, ErrUnavailable) || team.fetched() != 1 {
				t.Errorf("within the minute: %v after %d fetches", err, team.fetched())
			}
			team.pass(time.Minute)
			if err := verify(t, access, team.token()); err != nil {
				t.Errorf("the fault removed: %v", err)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keySet("key-0")) }))
	defer server.Close()
	access, err := NewAccess(server.URL, audience)
	if err != nil {
		b.Fatal(err)
	}
	team := &issuer{Server: server, time: time.Now()}
	good := team.token().String()
	for b.Loop() {
		if _, err := access.Verify(b.Context(), good); err != nil {
			b.Fatal(err)
		}
	}
}
