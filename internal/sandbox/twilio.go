package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// twilioFrom is the account's only number: the valid sender of Twilio's own test credentials.
const twilioFrom = "+15005550006"

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// twilioErrors are the codes the sandbox can answer, with their words.
var twilioErrors = map[int]string{
	20003: "Authenticate",
	20006: "Access Denied",
	20404: "The requested resource was not found",
	20429: "Too Many Requests",
	20500: "An internal server error has occurred",
	20503: "Service Unavailable",
	21211: "The 'To' number %s is not a valid phone number.",
	21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: %s.",
	21602: "Message body is required.",
	21603: "A 'From' phone number is required.",
	21604: "A 'To' phone number is required.",
	21606: "The 'From' phone number %s is not a valid, SMS-capable inbound phone number or short code for your account.",
	21609: "The StatusCallback URL %s is not a valid URL.",
	21610: "Attempt to send to unsubscribed recipient",
	21612: "The 'To' phone number: %s, is not currently reachable using the 'From' phone number.",
	21614: "'To' number is not a valid mobile number",
	21617: "The concatenated message body exceeds the 1600 character limit.",
}

func writeTwilioError(w http.ResponseWriter, status, code int, about string) {
	message := twilioErrors[code]
	if strings.Contains(message, "%s") {
		message = fmt.Sprintf(message, about)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
	}
	writeJSON(w, status, map[string]any{
		"code": code, "message": message, "status": status, "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code),
	})
}

// mayTwilio checks the account and its token and answers 401 itself.
func (s *Sandbox) mayTwilio(w http.ResponseWriter, r *http.Request) bool {
	sid, token, _ := r.BasicAuth()
	if sid != s.keys.TwilioSID || token != s.keys.TwilioToken || r.PathValue("account") != sid {
		writeTwilioError(w, http.StatusUnauthorized, 20003, "")
		return false
	}
	return true
}

// messageCreate plays POST …/Messages.json: 201 and the message, status queued; then status callbacks.
func (s *Sandbox) messageCreate(w http.ResponseWriter, r *http.Request) {
	if !s.mayTwilio(w, r) {
		return
	}
	if err := r.ParseForm(); err != nil {
		writeTwilioError(w, http.StatusBadRequest, 21604, "")
		return
	}
	form := r.PostForm
	if code, about := refusal(form); code != 0 {
		writeTwilioError(w, http.StatusBadRequest, code, about)
		return
	}
	callback := form.Get("StatusCallback")
	entry := Entry{
		Time: time.Now().UTC(), Provider: twilio, Recipient: form.Get("To"), Body: form.Get("Body"),
		ID: "SM" + randomHex(16), From: form.Get("From"), Callback: callback, Delivery: lastSegment(callback),
	}
	if err := s.journal.accept(entry); err != nil {
		s.opt.Log.Error("sandbox: log", "reason", err)
		writeTwilioError(w, http.StatusInternalServerError, 20500, "")
		return
	}
	s.tellStatuses(entry)
	writeJSON(w, http.StatusCreated, s.resource(Message{Entry: entry}))
}

// refusal is the error code for a form that Twilio would not take, and what the error is about; 0 means it takes it.
func refusal(form url.Values) (code int, about string) {
	to, from, body, callback := form.Get("To"), form.Get("From"), form.Get("Body"), form.Get("StatusCallback")
	switch {
	case to == "":
		return 21604, ""
	case from == "" && form.Get("MessagingServiceSid") == "":
		return 21603, ""
	case body == "" && form.Get("MediaUrl") == "" && form.Get("ContentSid") == "":
		return 21602, ""
	case len([]rune(body)) > 1600:
		return 21617, ""
	case !e164.MatchString(to):
		return 21211, to
	case from != "" && from != twilioFrom:
		return 21606, from
	}
	if u, err := url.Parse(callback); callback != "" && (err != nil || u.Host == "") {
		return 21609, callback
	}
	return outcomeOf(twilio, to).refusal, to
}

func lastSegment(address string) string {
	u, err := url.Parse(address)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return ""
	}
	return path.Base(u.Path)
}

// messageShow plays GET …/Messages/{sid}.json.
func (s *Sandbox) messageShow(w http.ResponseWriter, r *http.Request) {
	if !s.mayTwilio(w, r) {
		return
	}
	sid, isJSON := strings.CutSuffix(r.PathValue("message"), ".json")
	m, found := s.journal.find(sid)
	if !isJSON || !found || m.Provider != twilio {
		writeTwilioError(w, http.StatusNotFound, 20404, "")
		return
	}
	writeJSON(w, http.StatusOK, s.resource(m))
}

// messageList plays GET …/Messages.json with To, From, DateSent (a day, or before < and after >), PageSize and Page.
func (s *Sandbox) messageList(w http.ResponseWriter, r *http.Request) {
	if !s.mayTwilio(w, r) {
		return
	}
	query := r.URL.Query()
	size, page := numberOr(query.Get("PageSize"), 50), numberOr(query.Get("Page"), 0)
	size = min(max(size, 1), 1000)
	fits := func(m *Message) bool { return m.Provider == twilio && m.fits(query) }
	var found []Message
	if to := query.Get("To"); to != "" {
		found = s.journal.newestTo(to, (page+1)*size+1, fits)
	} else {
		found, _ = s.journal.newest((page+1)*size+1, fits)
	}
	start := min(page*size, len(found))
	end := min(start+size, len(found))
	resources := []any{}
	for _, m := range found[start:end] {
		resources = append(resources, s.resource(m))
	}
	pageURI := func(n int) string {
		q := r.URL.Query()
		q.Set("PageSize", strconv.Itoa(size))
		q.Set("Page", strconv.Itoa(n))
		return r.URL.Path + "?" + q.Encode()
	}
	answer := map[string]any{
		"messages": resources, "page": page, "page_size": size, "start": start, "end": max(end-1, 0),
		"uri": pageURI(page), "first_page_uri": pageURI(0), "next_page_uri": nil, "previous_page_uri": nil,
	}
	if end < len(found) {
		answer["next_page_uri"] = pageURI(page + 1)
	}
	if page > 0 {
		answer["previous_page_uri"] = pageURI(page - 1)
	}
	writeJSON(w, http.StatusOK, answer)
}

// fits says whether a message is one of those asked for. A message that is not sent yet counts by its creation.
func (m *Message) fits(query url.Values) bool {
	sent := m.Time
	if t, ok := m.sentAt(); ok {
		sent = t
	}
	day, isDay := twilioTime(query.Get("DateSent"))
	before, hasBefore := twilioTime(query.Get("DateSent<"))
	after, hasAfter := twilioTime(query.Get("DateSent>"))
	return (query.Get("To") == "" || query.Get("To") == m.Recipient) &&
		(query.Get("From") == "" || query.Get("From") == m.From) &&
		(!isDay || sent.Format(time.DateOnly) == day.Format(time.DateOnly)) &&
		(!hasBefore || !sent.Truncate(time.Second).After(before)) &&
		(!hasAfter || !sent.Before(after.Truncate(time.Second)))
}

func twilioTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
