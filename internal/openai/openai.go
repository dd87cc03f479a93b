// Package openai asks a language model for a draft over the chat-completions API: OpenAI's own, or any server that
// speaks it (Azure, vLLM, Ollama) at another address.
//
// It knows the API, its streaming and its errors, and puts them in our words (clinic.Answer). It does not judge what
// the model says: that the text is strict JSON of the asked shape is for package drafting to find out, and whether it
// is safe for package check. It has no tools, no memory and no retries but one of its own, and it logs nothing.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "github.com/sashabaranov/go-openai"

	"countersign/internal/clinic"
)

// Codes of an Answer that cannot be used. Any other HTTP status is http_ and the status, e.g. http_401.
const (
	CodeTimeout     = "timeout"      // no first byte, or not done, in time
	CodeUnreachable = "unreachable"  // no connection, or one that broke before the first byte
	CodeBroken      = "broken"       // the stream ended in the middle
	CodeRateLimited = "rate_limited" // 429
	CodeRefused     = "refused"      // the model, or its content filter, will not write this
	CodeTruncated   = "truncated"    // the model ran out of room
	CodeEmpty       = "empty"        // a whole answer without a word
	CodeStopped     = "stopped"      // the caller ended it
)

// Times bound one Draft.
type Times struct {
	Connect   time.Duration // 3 s unless set
	FirstByte time.Duration // from the request to the first piece of the answer; 20 s unless set
	Total     time.Duration // with the retry; 60 s unless set
	Pause     time.Duration // before the retry, at least; 500 ms unless set
}

// Config is an account at a provider of the API.
type Config struct {
	BaseURL string // e.g. https://api.openai.com/v1
	APIKey  string // never logged
	Model   string // pinned, e.g. gpt-4.1-mini-2025-04-14
	Times   Times
}

// maxTokens is the room for one answer: far more than the longest message, far less than a runaway.
const maxTokens = 4_000

// Client drafts through one account. It is safe for concurrent use.
type Client struct {
	cfg       Config
	api       *api.Client
	transport *http.Transport
}

// New checks the account's settings without calling anyone. It fails when the address is not absolute or the key or
// model is missing.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("openai: the address must be absolute, http or https")
	}
	if cfg.APIKey == "" || cfg.Model == "" {
		return nil, errors.New("openai: an account needs a key and a model")
	}
	defaults := map[*time.Duration]time.Duration{&cfg.Times.Connect: 3 * time.Second, &cfg.Times.FirstByte: 20 * time.Second,
		&cfg.Times.Total: time.Minute, &cfg.Times.Pause: 500 * time.Millisecond}
	for setting, standard := range defaults {
		if *setting <= 0 {
			*setting = standard
		}
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cfg.Times.Connect}).DialContext,
		TLSHandshakeTimeout: cfg.Times.Connect,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	settings := api.DefaultConfig(cfg.APIKey)
	settings.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	settings.HTTPClient = &http.Client{Transport: notStored{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Client{cfg: cfg, api: api.NewClientWithConfig(settings), transport: transport}, nil
}

// Model is the pinned model's name.
func (c *Client) Model() string { return c.cfg.Model }

// Close lets go of idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Draft asks for a draft and returns when it is whole or has failed, after Times.Total at most. words hears how many
// words have come so far, at most four times a second and from this goroutine. Once, when the provider says 429 or
// 5xx or cannot be reached, and time is left, it asks again; a stream that broke is not asked for again here, because
// its words have been seen and paid for.
//
// Tokens are the provider's own figures, those of both attempts together. When an attempt ends before its figures
// have come, they are estimated at four characters to a token, so that a draft is never free because it failed.
func (c *Client) Draft(ctx context.Context, a *clinic.Assignment, words func(int)) clinic.Answer {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Times.Total)
	defer cancel()
	first := c.attempt(ctx, a, words)
	pause := max(c.cfg.Times.Pause, first.retryAfter)
	if !first.again || !c.sleep(ctx, pause) {
		return first.answer
	}
	second := c.attempt(ctx, a, words)
	second.answer.PromptTokens += first.answer.PromptTokens
	second.answer.CompletionTokens += first.answer.CompletionTokens
	return second.answer
}

// sleep waits, unless what is then left of the time would not do for a first byte.
func (c *Client) sleep(ctx context.Context, d time.Duration) bool {
	if until, ok := ctx.Deadline(); ok && time.Until(until) < d+c.cfg.Times.Connect {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// request is the whole of what leaves the house: the three messages, the shape of the answer, and nothing that names
// a person, a clinic or a draft. There is no metadata and no user.
func (c *Client) request(a *clinic.Assignment) api.ChatCompletionRequest {
	return api.ChatCompletionRequest{
		Model: c.cfg.Model,
		Messages: []api.ChatCompletionMessage{
			{Role: api.ChatMessageRoleSystem, Content: a.Prompt.System},
			{Role: api.ChatMessageRoleUser, Content: a.Prompt.Settings},
			{Role: api.ChatMessageRoleUser, Content: a.Prompt.Brief},
		},
		MaxCompletionTokens: maxTokens,
		Stream:              true,
		StreamOptions:       &api.StreamOptions{IncludeUsage: true},
		ResponseFormat: &api.ChatCompletionResponseFormat{
			Type:       api.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &api.ChatCompletionResponseFormatJSONSchema{Name: "draft", Schema: a.Schema, Strict: true},
		},
	}
}

// codeOf names an error of the library. A key, an address or the provider's words never become part of it.
func codeOf(err error, began bool) (code string, again bool) {
	status := 0
	var told *api.APIError
	var bare *api.RequestError
	switch {
	case errors.As(err, &told):
		status = told.HTTPStatusCode
		if told.Code == "content_filter" {
			return CodeRefused, false
		}
	case errors.As(err, &bare):
		status = bare.HTTPStatusCode
	}
	var slow net.Error
	var network *net.OpError
	switch {
	case status == http.StatusTooManyRequests:
		return CodeRateLimited, true
	case status != 0:
		return fmt.Sprintf("http_%d", status), status >= 500
	case errors.As(err, &network) && network.Op == "dial":
		return CodeUnreachable, true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &slow) && slow.Timeout():
		return CodeTimeout, false
	case began:
		return CodeBroken, false
	}
	return CodeUnreachable, true
}
