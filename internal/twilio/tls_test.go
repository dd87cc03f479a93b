package twilio

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/wire"
)

// A TLS failure is one before the headers: nothing was sent, and it may be tried again.
func TestNoSafeConnection(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*httptest.Server){
		"a certificate that nobody vouches for": (*httptest.Server).StartTLS,
		"plain text where TLS is due":           (*httptest.Server).Start,
		"TLS of long ago": func(s *httptest.Server) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
			s.StartTLS()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken.Add(1) }))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			serve(server)
			t.Cleanup(server.Close)
			address := strings.Replace(server.URL, "http://", "https://", 1)
			c, err := New(Config{BaseURL: address, AccountSID: "AC1", AuthToken: "token", From: "+15005550006"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			got := c.Send(context.Background(), &clinic.Parcel{DeliveryID: uuid.Must(uuid.NewV7()), Channel: "sms", To: "+14155550132", Body: "notice", StartBy: time.Now().Add(time.Minute)})
			if got.Class != clinic.OutcomeNotSent || got.Code != wire.CodeTLS || got.ProviderID != "" || taken.Load() != 0 {
				t.Errorf("got %+v after %d requests, want %s %s", got, taken.Load(), clinic.OutcomeNotSent, wire.CodeTLS)
			}
		})
	}
}
