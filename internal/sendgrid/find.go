package sendgrid

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/wire"
)

var _ clinic.Finder = (*Client)(nil)

const (
	activityRate = 6  // look-ups in a minute: the documented limit of the whole account
	findMost     = 10 // mails with one delivery id; there is one for each attempt
)

// Codes of look-ups that were not made.
const (
	findOff  = "activity_off" // the account does not have it, or nobody switched it on
	findWait = "asked_enough" // the minute's requests are used up
)

// Find asks the Email Activity API for mails that carry the delivery's id, where Config.Activity says that the account
// has it. Without it nobody is asked: a late event, or a person, settles what is not known.
//
// Not finding one is never conclusive: the documentation promises no time within which a mail shows, the Activity keeps
// mails for as long as was paid for, and sub-users of the EU region have none in it. The query holds our own random id
// only, because it stands in an address. At most six look-ups a minute are made, and none while the last answer asks
// to wait; who is left out is asked about another time.
func (c *Client) Find(ctx context.Context, u clinic.Unknown) clinic.Found {
	out := clinic.Found{Class: clinic.FoundCannotAsk, Provider: c.Name()}
	if !c.cfg.Activity || u.Channel != "email" {
		out.Code = findOff
		return out
	}
	if !c.pace.may(time.Now()) {
		out.Code = findWait
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	trip := wire.NewTrip(ctx, c.transport, c.base, time.Time{})
	mails, err := c.activity(trip, `unique_args['d']="`+u.DeliveryID.String()+`"`)
	evidence := trip.Evidence()
	c.pace.heard(time.Now(), wait(evidence, time.Now()))
	if err != nil {
		if out.Code = evidence.Code; out.Code == "" {
			out.Code = CodeUnreadable
		}
		return out
	}
	out.Class = clinic.FoundNothing
	for _, m := range mails {
		if id := messageID(m.ID); id != "" && furthest[m.Status] >= furthest[out.State] {
			out.Class, out.ProviderID, out.State = clinic.FoundAccepted, id, m.Status
		}
	}
	out.State, out.Code = activityMeaning(out.State)
	return out
}

// mailFound is what we read of a mail in the Activity: no address, no subject.
type mailFound struct {
	ID     string `json:"msg_id"`
	Status string `json:"status"`
}

func (c *Client) activity(trip *wire.Trip, query string) ([]mailFound, error) {
	request, err := http.NewRequest(http.MethodGet, c.base.Scheme+"://"+c.base.Host+"/v3/messages?"+
		url.Values{"query": {query}, "limit": {strconv.Itoa(findMost)}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.cfg.APIKey)
	request.Header.Set("Accept", "application/json")
	answer, err := wire.Client(trip).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var list struct {
		Messages *[]mailFound `json:"messages"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK || list.Messages == nil {
		return nil, errNoList
	}
	return *list.Messages, nil
}

// furthest orders the mails of one delivery, which may have one for each attempt: one that arrived counts most.
var furthest = map[string]int{"not_delivered": 1, "processed": 2, "delivered": 3}

// activityMeaning is a status in our words; one that we do not know says only that the mail was accepted.
func activityMeaning(status string) (state, code string) {
	switch status {
	case "processed":
		return "in_transit", ""
	case "delivered":
		return "delivered", ""
	case "not_delivered":
		return "undelivered", "not_delivered"
	}
	return "", ""
}

// pace keeps look-ups within the account's limit.
type pace struct {
	mu    sync.Mutex
	asked []time.Time // of the last minute, oldest first
	until time.Time   // before which an answer asked us not to come
}

// may says whether one more look-up may be made now, and counts it.
func (p *pace) may(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.asked) > 0 && now.Sub(p.asked[0]) >= time.Minute {
		p.asked = p.asked[1:]
	}
	if len(p.asked) >= activityRate || now.Before(p.until) {
		return false
	}
	p.asked = append(p.asked, now)
	return true
}

// heard notes how long an answer asks us to wait.
func (p *pace) heard(now time.Time, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(wait); until.After(p.until) {
		p.until = until
	}
}
