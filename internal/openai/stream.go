package openai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	api "github.com/sashabaranov/go-openai"

	"countersign/internal/clinic"
)

// beat is the least time between two reports of progress.
const beat = 250 * time.Millisecond

// maxText is the most that is kept of an answer, in bytes; more than that is no draft.
const maxText = 256 << 10

// attempted is one attempt's answer and whether another one in this same call makes sense.
type attempted struct {
	answer     clinic.Answer
	again      bool
	retryAfter time.Duration
}

// reading is one stream as far as it has come.
type reading struct {
	text    strings.Builder
	refusal bool
	finish  api.FinishReason
	usage   *api.Usage
	model   string
	began   bool
}

// attempt makes one request and reads its stream to the end.
func (c *Client) attempt(ctx context.Context, a *clinic.Assignment, words func(int)) attempted {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	firstByte := time.AfterFunc(c.cfg.Times.FirstByte, func() { cancel(context.DeadlineExceeded) })
	defer firstByte.Stop()

	request := c.request(a)
	var answered http.Header
	stream, err := c.api.CreateChatCompletionStream(context.WithValue(ctx, headerKey{}, &answered), request)
	if err != nil {
		return c.failed(ctx, err, &reading{}, request, answered)
	}
	defer stream.Close()
	r := &reading{model: c.cfg.Model}
	progress := ticker{words: words}
	for {
		piece, err := stream.Recv()
		firstByte.Stop()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c.failed(ctx, err, r, request, answered)
		}
		r.take(piece)
		progress.report(r.text.String())
	}
	return c.finished(r, request)
}

// take adds one piece of the stream.
func (r *reading) take(piece api.ChatCompletionStreamResponse) {
	r.began = true
	if piece.Model != "" {
		r.model = piece.Model
	}
	if piece.Usage != nil {
		r.usage = piece.Usage
	}
	for _, choice := range piece.Choices {
		if choice.Index != 0 {
			continue
		}
		if r.text.Len() < maxText {
			r.text.WriteString(choice.Delta.Content)
		}
		r.refusal = r.refusal || choice.Delta.Refusal != ""
		if choice.FinishReason != "" {
			r.finish = choice.FinishReason
		}
	}
}

// finished judges a stream that ended by itself. The library takes a connection that closed for an end, too; only a
// finish reason tells the two apart.
func (c *Client) finished(r *reading, request api.ChatCompletionRequest) attempted {
	answer := r.answer(request)
	switch {
	case r.refusal, r.finish == api.FinishReasonContentFilter:
		answer.Code = CodeRefused
	case r.finish == api.FinishReasonLength, r.text.Len() >= maxText:
		answer.Code, answer.Retry = CodeTruncated, true
	case r.finish == "" && !r.began:
		answer.Code, answer.Retry = CodeUnreachable, true
	case r.finish == "":
		answer.Code, answer.Retry = CodeBroken, true
	case strings.TrimSpace(r.text.String()) == "":
		answer.Code, answer.Retry = CodeEmpty, true
	default:
		answer.Raw = r.text.String()
	}
	return attempted{answer: answer}
}

// failed judges an attempt that ended by an error.
func (c *Client) failed(ctx context.Context, err error, r *reading, request api.ChatCompletionRequest, h http.Header) attempted {
	code, again := codeOf(err, r.began)
	if ctx.Err() != nil {
		code, again = CodeTimeout, false
		if errors.Is(context.Cause(ctx), context.Canceled) {
			code = CodeStopped
		}
	}
	answer := r.answer(request)
	if !r.began {
		answer.PromptTokens = 0 // an answer that never began is not charged
		if code == CodeTimeout || code == CodeStopped {
			answer.PromptTokens = estimate(request) // they may have read it all
		}
	}
	answer.Code, answer.Retry = code, again || code == CodeTimeout || code == CodeBroken || code == CodeStopped
	out := attempted{answer: answer, again: again}
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 {
		out.retryAfter = time.Duration(min(seconds, 3600)) * time.Second
	}
	return out
}

// answer is the model's name and the tokens: the provider's figures, or else an estimate.
func (r *reading) answer(request api.ChatCompletionRequest) clinic.Answer {
	out := clinic.Answer{Model: r.model}
	if out.Model == "" {
		out.Model = request.Model
	}
	if r.usage != nil {
		out.PromptTokens, out.CompletionTokens = r.usage.PromptTokens, r.usage.CompletionTokens
		return out
	}
	out.PromptTokens, out.CompletionTokens = estimate(request), (r.text.Len()+3)/4
	return out
}

func estimate(request api.ChatCompletionRequest) int {
	size := 0
	for _, m := range request.Messages {
		size += len(m.Content) + 16
	}
	return (size + 3) / 4
}

// ticker reports progress, at most once a beat and only when the count has grown.
type ticker struct {
	words func(int)
	last  time.Time
	told  int
}

func (t *ticker) report(text string) {
	if t.words == nil || time.Since(t.last) < beat {
		return
	}
	if n := countWords(text); n > t.told {
		t.last, t.told = time.Now(), n
		t.words(n)
	}
}

// countWords counts the words of the sentences so far, leaving out the JSON around them, as near as a half-written
// answer allows.
func countWords(text string) int {
	const open = `"text":`
	total := 0
	for {
		_, rest, found := strings.Cut(text, open)
		if !found {
			return total
		}
		rest = strings.TrimPrefix(strings.TrimLeft(rest, " \n"), `"`)
		end := 0
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(rest))
		total += len(strings.Fields(rest[:end]))
		text = rest[end:]
	}
}

type headerKey struct{}

// notStored says store: false aloud in every request, which the library leaves out because it is the zero value, and
// keeps the answer's headers for whoever asked.
type notStored struct{ next http.RoundTripper }

func (n notStored) RoundTrip(given *http.Request) (*http.Response, error) {
	if given.Body == nil {
		return n.next.RoundTrip(given)
	}
	body, err := io.ReadAll(given.Body)
	_ = given.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(body) < 2 || body[0] != '{' || bytes.Contains(body, []byte(`"store":`)) {
		return nil, fmt.Errorf("openai: a request that is not as expected")
	}
	body = append([]byte(`{"store":false,`), body[1:]...)
	req := given.Clone(given.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	resp, err := n.next.RoundTrip(req)
	if keep, ok := given.Context().Value(headerKey{}).(*http.Header); ok && resp != nil {
		*keep = resp.Header
	}
	return resp, err
}
