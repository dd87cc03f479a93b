package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
)

// EnvelopeItem is one item of an envelope: an event, a transaction, a check-in or an attachment.
type EnvelopeItem struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"` // of those that are JSON
}

var (
	errEnvelope = errors.New("invalid envelope item")
	sentryID    = regexp.MustCompile(`^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`)
	spanID      = regexp.MustCompile(`^[0-9a-f]{16}$`)
	monitorSlug = regexp.MustCompile(`^[a-z0-9_-]{1,50}$`)
)

// readEnvelope takes an envelope apart: a line of JSON about the whole, and then for each item a line about it and its payload,
// as long as that line says, or to the end of the next line. An item that Sentry would drop is an error here.
func readEnvelope(raw []byte) (items []EnvelopeItem, err error) {
	_, rest, _ := bytes.Cut(raw, []byte("\n"))
	for len(bytes.TrimSpace(rest)) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		var head struct {
			Type   string `json:"type"`
			Length *int   `json:"length"`
		}
		if json.Unmarshal(line, &head) != nil || head.Type == "" {
			return nil, errEnvelope
		}
		var payload []byte
		if head.Length != nil {
			if *head.Length < 0 || *head.Length > len(after) {
				return nil, errEnvelope
			}
			payload, rest = after[:*head.Length], bytes.TrimPrefix(after[*head.Length:], []byte("\n"))
		} else {
			payload, rest, _ = bytes.Cut(after, []byte("\n"))
		}
		item := EnvelopeItem{Type: head.Type}
		if head.Type != "attachment" {
			if !json.Valid(payload) || !sound(head.Type, payload) {
				return nil, errEnvelope
			}
			item.Payload = slices.Clone(payload)
		}
		items = append(items, item)
	}
	return items, nil
}

// sound holds an item to what the documentation says that it must have.
func sound(kind string, payload []byte) bool {
	switch kind {
	case "transaction":
		var t struct {
			Type        string          `json:"type"`
			Transaction string          `json:"transaction"`
			Start       json.RawMessage `json:"start_timestamp"`
			End         json.RawMessage `json:"timestamp"`
			Contexts    struct {
				Trace struct {
					TraceID string `json:"trace_id"`
					SpanID  string `json:"span_id"`
				} `json:"trace"`
			} `json:"contexts"`
		}
		return json.Unmarshal(payload, &t) == nil && t.Type == "transaction" && t.Transaction != "" && t.Start != nil && t.End != nil &&
			sentryID.MatchString(t.Contexts.Trace.TraceID) && spanID.MatchString(t.Contexts.Trace.SpanID)
	case "check_in":
		var c struct {
			ID       string  `json:"check_in_id"`
			Slug     string  `json:"monitor_slug"`
			Status   string  `json:"status"`
			Duration float64 `json:"duration"`
			Monitor  *struct {
				Schedule struct {
					Type  string          `json:"type"`
					Value json.RawMessage `json:"value"`
					Unit  string          `json:"unit"`
				} `json:"schedule"`
			} `json:"monitor_config"`
		}
		if json.Unmarshal(payload, &c) != nil || !sentryID.MatchString(c.ID) || !monitorSlug.MatchString(c.Slug) || c.Duration < 0 ||
			!slices.Contains([]string{"in_progress", "ok", "error"}, c.Status) {
			return false
		}
		if c.Monitor == nil {
			return true
		}
		s := c.Monitor.Schedule
		return s.Type == "crontab" && len(s.Value) > 2 ||
			s.Type == "interval" && len(s.Value) > 0 && slices.Contains([]string{"minute", "hour", "day", "week", "month", "year"}, s.Unit)
	}
	return true
}
