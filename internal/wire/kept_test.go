package wire

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Attempts that run side by side, again and again, use the connections of the first time: none is opened for a send.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const tasks, waves = 32, 3
	var opened atomic.Int32
	together := make(chan struct{}, tasks)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		together <- struct{}{} // every attempt of a wave is under way before the first is answered
		for len(together) < tasks {
			select {
			case <-time.After(time.Millisecond):
			case <-t.Context().Done():
				return
			}
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	for range waves {
		var wave sync.WaitGroup
		for range tasks {
			wave.Go(func() {
				trip := NewTrip(context.Background(), transport, nil, time.Time{})
				resp, err := Client(trip).Post(server.URL, "text/plain", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		wave.Wait()
		for len(together) > 0 {
			<-together
		}
	}
	if n := opened.Load(); n > tasks {
		t.Errorf("%d connections were opened for %d attempts side by side", n, tasks)
	}
}
