package sandbox

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxEnvelopes are kept; older ones are forgotten.
const maxEnvelopes = 500

// Envelope is what the app sent to Sentry, as it came.
type Envelope struct {
	Time    time.Time      `json:"time"`
	Project string         `json:"project"`
	Raw     string         `json:"raw"` // decompressed
	Items   []EnvelopeItem `json:"items"`
}

type envelopeStore struct {
	mu   sync.Mutex
	list []Envelope
}

func (e *envelopeStore) add(one Envelope) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, one)
	if len(e.list) > maxEnvelopes {
		e.list = slices.Delete(e.list, 0, len(e.list)-maxEnvelopes)
	}
}

// sentryEnvelope plays POST /api/{project}/envelope/.
func (s *Sandbox) sentryEnvelope(w http.ResponseWriter, r *http.Request) {
	auth := r.Header.Get("X-Sentry-Auth") + "," + r.URL.Query().Get("sentry_key")
	if !strings.Contains(auth, s.keys.SentryKey) {
		writeJSON(w, http.StatusForbidden, map[string]string{"detail": "event submission rejected with_reason: ProjectId"})
		return
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(body)
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"detail": "invalid gzip"})
			return
		}
		body = io.LimitReader(zipped, maxBody)
	}
	raw, err := io.ReadAll(body)
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	var header struct {
		EventID string `json:"event_id"`
	}
	if err != nil || json.Unmarshal(first, &header) != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"detail": "invalid event envelope"})
		return
	}
	items, err := readEnvelope(raw)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"detail": err.Error()})
		return
	}
	s.envelopes.add(Envelope{Time: time.Now().UTC(), Project: r.PathValue("project"), Raw: string(raw), Items: items})
	writeJSON(w, http.StatusOK, map[string]string{"id": header.EventID})
}

// sentryList answers the envelopes as a JSON array, oldest first.
func (s *Sandbox) sentryList(w http.ResponseWriter, _ *http.Request) {
	s.envelopes.mu.Lock()
	list := slices.Clone(s.envelopes.list)
	s.envelopes.mu.Unlock()
	if list == nil {
		list = []Envelope{}
	}
	writeJSON(w, http.StatusOK, list)
}
