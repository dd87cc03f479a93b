package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// chatRequest is what we read of a chat completion; other documented parameters are allowed and ignored.
type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	ResponseFormat      *responseFormat `json:"response_format"`
	MaxTokens           int             `json:"max_tokens"`
	MaxCompletionTokens int             `json:"max_completion_tokens"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// chatMessage holds the text of a message, given as a string or as an array of text parts.
type chatMessage struct {
	Role    string      `json:"role"`
	Content chatContent `json:"content"`
}

type chatContent string

func (c *chatContent) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*c = chatContent(text)
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	for _, p := range parts {
		*c += chatContent(p.Text)
	}
	return nil
}

// chatAnswer is what the model will say, before it is cut into words.
type chatAnswer struct {
	id, model string
	created   int64
	content   string
	refusal   string
	finish    string // stop or length
	prompt    int    // tokens
	cut       bool   // end the connection in the middle
}

// chatCompletion plays POST /v1/chat/completions, streaming or whole.
func (s *Sandbox) chatCompletion(w http.ResponseWriter, r *http.Request) {
	key, hasKey := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !hasKey || key != s.keys.OpenAIKey {
		words := "Incorrect API key provided. You can find your API key in the sandbox's /settings.env."
		if !hasKey {
			words = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
		}
		writeModelError(w, http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "", words)
		return
	}
	var req chatRequest
	if err := decodeBody(r, &req); err != nil {
		badChat(w, "", "We could not parse the JSON body of your request.")
		return
	}
	if param, words := req.problem(); words != "" {
		badChat(w, param, words)
		return
	}
	answer := s.answer(req, faultOf(r))
	if err := s.journal.accept(Entry{
		Time: time.Now().UTC(), Provider: openai, Recipient: req.Model, Body: req.text(), ID: answer.id,
	}); err != nil {
		s.opt.Log.Error("sandbox: log", "reason", err)
		providerError(w, openai, http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Request-Id", "req_"+randomHex(16))
	w.Header().Set("Openai-Version", "2020-10-01")
	if req.Stream {
		s.stream(w, r, req, answer)
		return
	}
	if answer.cut {
		cut(w, true)
		return
	}
	if pause(r.Context(), s.opt.ModelDelay*time.Duration(len(strings.Fields(answer.content)))) {
		writeJSON(w, http.StatusOK, answer.whole())
	}
}

func badChat(w http.ResponseWriter, param, words string) {
	writeModelError(w, http.StatusBadRequest, "invalid_request_error", "", param, words)
}

func writeModelError(w http.ResponseWriter, status int, kind, code, param, words string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"message": words, "type": kind, "param": orNull(param), "code": orNull(code),
	}})
}

func (req chatRequest) problem() (param, words string) {
	switch {
	case req.Model == "":
		return "", "you must provide a model parameter"
	case len(req.Messages) == 0:
		return "messages", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
	case req.StreamOptions != nil && !req.Stream:
		return "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled."
	}
	for i, m := range req.Messages {
		switch m.Role {
		case "system", "developer", "user", "assistant", "tool":
		default:
			at := fmt.Sprintf("messages[%d].role", i)
			return at, "Invalid value: '" + m.Role + "'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'."
		}
	}
	if req.ResponseFormat != nil {
		return req.ResponseFormat.problem()
	}
	return "", ""
}

func (req chatRequest) text() string {
	var all []string
	for _, m := range req.Messages {
		all = append(all, string(m.Content))
	}
	return strings.Join(all, "\n\n")
}

// tokens counts about four characters to a token, as English comes out on the real thing.
func tokens(text string) int { return (len([]rune(text)) + 3) / 4 }

// answer composes the reply to a prompt, and bends it as the fault says.
func (s *Sandbox) answer(req chatRequest, f Fault) chatAnswer {
	a := chatAnswer{
		id: "chatcmpl-" + randomText(21), model: req.Model, created: time.Now().Unix(), finish: "stop",
		prompt: tokens(req.text()) + 4*len(req.Messages), cut: f.Kind == "reset-after-headers",
	}
	d := compose(readPrompt(req.Messages))
	a.content = d.prose()
	if req.ResponseFormat.wantsJSON() {
		a.content = req.ResponseFormat.render(d)
	}
	if limit := max(req.MaxTokens, req.MaxCompletionTokens); limit > 0 && tokens(a.content) > limit {
		a.content, a.finish = string([]rune(a.content)[:4*limit]), "length"
	}
	switch f.Kind {
	case "bad-json":
		a.content = "Here is the draft: {\"sentences\": [ " + d.prose()
	case "refusal":
		a.content, a.refusal = "", "I'm sorry, but I can't help with that request."
	case "truncated":
		text := []rune(a.content)
		a.content, a.finish = string(text[:len(text)/2]), "length"
	}
	return a
}

func (a chatAnswer) usage() map[string]any {
	completion := tokens(a.content + a.refusal)
	return map[string]any{
		"prompt_tokens": a.prompt, "completion_tokens": completion, "total_tokens": a.prompt + completion,
		"prompt_tokens_details":     map[string]int{"cached_tokens": 0, "audio_tokens": 0},
		"completion_tokens_details": map[string]int{"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
	}
}

func (a chatAnswer) whole() map[string]any {
	message := map[string]any{"role": "assistant", "content": orNull(a.content), "refusal": orNull(a.refusal), "annotations": []any{}}
	return map[string]any{
		"id": a.id, "object": "chat.completion", "created": a.created, "model": a.model, "service_tier": "default",
		"system_fingerprint": "fp_sandbox", "usage": a.usage(),
		"choices": []any{map[string]any{"index": 0, "message": message, "logprobs": nil, "finish_reason": a.finish}},
	}
}

func (a chatAnswer) chunk(choices []any) map[string]any {
	return map[string]any{
		"id": a.id, "object": "chat.completion.chunk", "created": a.created, "model": a.model, "service_tier": "default",
		"system_fingerprint": "fp_sandbox", "choices": choices,
	}
}

// stream sends the answer as server-sent events, word by word.
func (s *Sandbox) stream(w http.ResponseWriter, r *http.Request, req chatRequest, a chatAnswer) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	includeUsage := req.StreamOptions != nil && req.StreamOptions.IncludeUsage
	send := func(choices []any, usage any) {
		chunk := a.chunk(choices)
		if includeUsage {
			chunk["usage"] = usage
		}
		raw, _ := json.Marshal(chunk)
		fmt.Fprintf(w, "data: %s\n\n", raw)
		http.NewResponseController(w).Flush()
	}
	delta := func(d map[string]any, finish any) []any {
		return []any{map[string]any{"index": 0, "delta": d, "logprobs": nil, "finish_reason": finish}}
	}
	field, text := "content", a.content
	if a.refusal != "" {
		field, text = "refusal", a.refusal
	}
	send(delta(map[string]any{"role": "assistant", "content": "", "refusal": nil}, nil), nil)
	words := strings.SplitAfter(text, " ")
	for i, word := range words {
		if a.cut && i >= len(words)/2 {
			cut(w, true)
			return
		}
		if !s.wait(r, Fault{}, int(s.opt.ModelDelay.Milliseconds())) {
			return
		}
		send(delta(map[string]any{field: word}, nil), nil)
	}
	send(delta(map[string]any{}, a.finish), nil)
	if includeUsage {
		send([]any{}, a.usage())
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}
