package sendgrid

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"countersign/internal/wire"
)

// reason is a refusal's code: SendGrid has no numbers of its own beyond the status, so a few of its fixed sentences and
// the field that it blames are told apart here. Its words are not kept: they may quote the address.
func reason(status int, body, code string) string {
	var answer struct {
		Errors []struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal([]byte(body), &answer) != nil {
		return code
	}
	for _, e := range answer.Errors {
		switch {
		case status == http.StatusBadRequest && strings.HasPrefix(e.Field, "personalizations.0.to"):
			return CodeBadAddress
		case status == http.StatusUnauthorized && e.Message == "Maximum credits exceeded":
			return CodeCredits
		case status == http.StatusForbidden && strings.HasPrefix(e.Message, "The from address does not match a verified Sender Identity"):
			return CodeSender
		}
	}
	return code
}

// wait is what a 429 asks for. SendGrid's own way to say it is the second, since 1970, at which its limit begins anew.
func wait(e wire.Evidence, now time.Time) time.Duration {
	if e.RetryAfter > 0 || e.Status != http.StatusTooManyRequests {
		return e.RetryAfter
	}
	reset, err := strconv.ParseInt(e.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return min(max(time.Unix(reset, 0).Sub(now), 0), wire.MaxRetryAfter)
}

// dropReasons are the documented reasons for which SendGrid does not even try.
var dropReasons = map[string]string{
	"Bounced Address":                   "dropped_bounced",
	"Unsubscribed Address":              "dropped_unsubscribed",
	"Spam Reporting Address":            "dropped_spam",
	"Invalid":                           CodeBadAddress,
	"Recipient List over Package Quota": CodeCredits,
}
