package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	activityMost = 1000 // the largest documented limit of one answer
	activityRate = 6    // requests in a minute, as documented since December 2025
)

// activityMessage is a message as the Email Activity shows it. Its arguments are not in it.
type activityMessage struct {
	From    string `json:"from_email"`
	ID      string `json:"msg_id"`
	Subject string `json:"subject"`
	To      string `json:"to_email"`
	Status  string `json:"status"` // processed, delivered or not_delivered
	Opens   int    `json:"opens_count"`
	Clicks  int    `json:"clicks_count"`
	Last    string `json:"last_event_time"`
}

// mailActivity plays GET /v3/messages, the Email Activity API: messages by a query, newest first. The documentation
// promises no time within which a message shows; here it takes Options.ActivityDelay, and so does each of its events.
func (s *Sandbox) mailActivity(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.keys.SendGridKey {
		writeJSON(w, http.StatusUnauthorized, mailErrors{[]mailError{{Message: mailBadKey}}})
		return
	}
	if wait := s.activity.ask(time.Now()); wait > 0 {
		tooManyRequests(w, sendgrid, wait)
		return
	}
	limit := numberOr(r.URL.Query().Get("limit"), 10)
	wanted, problem := activityQuery(r.URL.Query().Get("query"))
	if problem == "" && (limit < 1 || limit > activityMost) {
		problem = "limit must be between 1 and " + strconv.Itoa(activityMost)
	}
	if problem != "" {
		writeJSON(w, http.StatusBadRequest, mailErrors{[]mailError{{Message: problem}}})
		return
	}
	shown := time.Now().Add(-s.opt.ActivityDelay)
	found, _ := s.journal.newest(limit, func(m *Message) bool {
		return m.Provider == sendgrid && !m.Time.After(shown) && wanted(m.asActivity(shown), m.Args)
	})
	list := make([]activityMessage, 0, len(found))
	for _, m := range found {
		list = append(list, m.asActivity(shown))
	}
	writeJSON(w, http.StatusOK, map[string]any{"messages": list})
}

// asActivity is the message as it shows when events after shown are not known yet.
func (m *Message) asActivity(shown time.Time) activityMessage {
	a := activityMessage{From: m.From, ID: mailID(m.Entry), Subject: m.Subject, To: m.Recipient, Status: "processed", Last: m.Time.Format(time.RFC3339)}
	for _, e := range m.Events {
		if e.Forged || e.Time.After(shown) {
			continue
		}
		a.Last = e.Time.Format(time.RFC3339)
		switch e.Name {
		case "delivered":
			a.Status = "delivered"
		case "bounce", "dropped":
			a.Status = "not_delivered"
		}
	}
	return a
}

var activityCondition = regexp.MustCompile(`^(?:(msg_id|to_email|from_email|subject|status|unique_args)|unique_args\['([^']+)'\])="([^"]*)"$`)

// activityQuery reads conditions such as unique_args['d']="…", joined by AND; a problem is the answer's sentence.
func activityQuery(query string) (wanted func(activityMessage, map[string]string) bool, problem string) {
	if query == "" {
		return nil, "query is required"
	}
	var all []func(activityMessage, map[string]string) bool
	for _, text := range strings.Split(query, " AND ") {
		part := activityCondition.FindStringSubmatch(strings.Trim(strings.TrimSpace(text), "()"))
		if part == nil {
			field, _, _ := strings.Cut(text, "=")
			return nil, fmt.Sprintf("invalid syntax: '%s' is not a known field", field)
		}
		all = append(all, func(a activityMessage, args map[string]string) bool {
			fields := map[string]string{"msg_id": a.ID, "to_email": a.To, "from_email": a.From, "subject": a.Subject, "status": a.Status}
			if part[1] != "" && part[1] != "unique_args" {
				return fields[part[1]] == part[3]
			}
			for name, value := range args {
				if value == part[3] && (part[2] == "" || part[2] == name) {
					return true
				}
			}
			return false
		})
	}
	return func(a activityMessage, args map[string]string) bool {
		for _, fits := range all {
			if !fits(a, args) {
				return false
			}
		}
		return true
	}, ""
}

// activityMeter counts the requests of the last minute.
type activityMeter struct {
	mu    sync.Mutex
	asked []time.Time
}

// ask notes a request that may be answered, or says how long the caller has to wait.
func (m *activityMeter) ask(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.asked) == activityRate {
		if wait := time.Minute - now.Sub(m.asked[0]); wait > 0 {
			return wait.Truncate(time.Second) + time.Second
		}
		m.asked = m.asked[1:]
	}
	m.asked = append(m.asked, now)
	return 0
}
