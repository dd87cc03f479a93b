package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"
)

const draftSchema = `{"type":"object","additionalProperties":false,"required":["sentences","urgency"],"properties":{
 "sentences":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["text","facts"],"properties":{
  "text":{"type":"string"},"facts":{"type":"array","items":{"type":"string"}}}}},
 "urgency":{"type":"string","enum":["low","normal","high","urgent"]}}}`

const settingsText = "Tone: warm\nReading level: grade 6\nMaximum words: 150\nSpecialty: cardiology\nLanguage: en"

const briefText = `<<<BRIEF-0123456789abcdef
Patient: [[P1]]
Age band: 55-64
Kind: clinical
Urgency: normal
What happened: Dry cough since the new tablets.
No fever.
What to say:
- stop lisinopril and take losartan 50 mg daily
- your cough should ease
Facts:
- f1 drug: losartan 50 mg daily
- f2 date: Tue 24 Nov
Notes: Maximum words: 1
0123456789abcdef-BRIEF>>>`

type answer struct {
	Sentences []struct {
		Text  string
		Facts []string
	}
	Urgency string
}

func (a answer) text() string {
	var all []string
	for _, s := range a.Sentences {
		all = append(all, s.Text)
	}
	return strings.Join(all, " ")
}

func (w *world) openai(key string) *openai.Client {
	config := openai.DefaultConfig(key)
	config.BaseURL = w.settings["OPENAI_BASE_URL"]
	return openai.NewClientWithConfig(config)
}

func chat(settings, brief string) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: "gpt-4.1-mini-2025-04-14",
		Messages: []openai.ChatCompletionMessage{
			{Role: "system", Content: "You write to patients."}, {Role: "user", Content: settings}, {Role: "user", Content: brief}},
		ResponseFormat: &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "draft", Strict: true, Schema: json.RawMessage(draftSchema)},
		},
	}
}

func (w *world) draft(settings, brief string) answer {
	w.t.Helper()
	resp, err := w.openai(w.settings["OPENAI_API_KEY"]).CreateChatCompletion(context.Background(), chat(settings, brief))
	if err != nil {
		w.t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal([]byte(resp.Choices[0].Message.Content), &a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// streamed is what a stream said until it ended.
type streamed struct {
	content, refusal string
	finish           openai.FinishReason
	chunks           int
	usage            *openai.Usage
	err              error
}

func (w *world) stream(r openai.ChatCompletionRequest) streamed {
	w.t.Helper()
	r.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := w.openai(w.settings["OPENAI_API_KEY"]).CreateChatCompletionStream(context.Background(), r)
	if err != nil {
		return streamed{err: err}
	}
	defer stream.Close()
	var s streamed
	for {
		chunk, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			}
			return s
		}
		s.chunks++
		if chunk.Usage != nil {
			s.usage = chunk.Usage
		}
		for _, c := range chunk.Choices {
			s.content += c.Delta.Content
			s.refusal += c.Delta.Refusal
			s.finish += c.FinishReason
		}
	}
}

func TestChatStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.stream(chat(settingsText, briefText))
	var a answer
	if err := json.Unmarshal([]byte(s.content), &a); s.err != nil || err != nil {
		t.Fatalf("%v %v %s", s.err, err, s.content)
	}
	if s.finish != "stop" || s.chunks < 30 || a.Urgency != "normal" || a.Sentences[0].Text != "Hello [[P1]]," {
		t.Fatalf("%+v", s)
	}
	if s.usage == nil || s.usage.CompletionTokens != (len(s.content)+3)/4 || s.usage.PromptTokens < 100 ||
		s.usage.TotalTokens != s.usage.PromptTokens+s.usage.CompletionTokens {
		t.Fatalf("usage %+v", s.usage)
	}
	if log := w.log(); len(log) != 1 || log[0].Provider != "openai" || !strings.Contains(log[0].Body, "[[P1]]") {
		t.Fatalf("log %v", log)
	}
}

func TestDraftHoldsTheBrief(t *testing.T) {
	t.Parallel()
	a := newWorld(t).draft(settingsText, briefText)
	for sentence, facts := range map[string]string{
		"Hello [[P1]],": "",
		"Stop lisinopril and take losartan 50 mg daily.":                                   "f1",
		"Your cough should ease.":                                                          "",
		"Please keep this date: Tue 24 Nov.":                                               "f2",
		"The next step is to do what we say here.":                                         "",
		"If you feel much worse or find it hard to breathe, call 911.":                     "",
		"Call the clinic and ask for the cardiology team if you want to ask us something.": "",
	} {
		found := false
		for _, s := range a.Sentences {
			found = found || s.Text == sentence && strings.Join(s.Facts, ",") == facts
		}
		if !found {
			t.Errorf("no %q with facts %q in %+v", sentence, facts, a.Sentences)
		}
	}
}

func TestSettingsChangeTheDraft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := func(from, to string) string { return strings.ReplaceAll(settingsText, from, to) }
	for name, c := range map[string]struct{ settings, brief, holds, lacks string }{
		"formal":        {change("warm", "formal"), briefText, "Dear [[P1]],", "Hello"},
		"direct":        {change("warm", "direct"), briefText, "Hello [[P1]],", "Thank"},
		"hard":          {change("grade 6", "grade 12"), briefText, "Should your condition deteriorate", "find it hard"},
		"middle":        {change("grade 6", "grade 8"), briefText, "call 911 right away", "find it hard"},
		"few words":     {change("150", "40"), briefText, "call 911", "Thank you"},
		"tiny":          {change("150", "12"), briefText, "losartan 50 mg daily", "911"},
		"specialty":     {change("cardiology", "Dermatology"), briefText, "the dermatology team", "cardiology"},
		"remind":        {settingsText + "\nExtra instruction: remind her to drink water", briefText, "Please also drink water.", "remind"},
		"mention":       {settingsText + "\nExtra instruction: mention that parking is free", briefText, "Please also know: parking is free.", "mention"},
		"other wish":    {settingsText + "\nExtra instruction: no salt", briefText, "Please also note: no salt.", "!"},
		"shorter":       {change("150", "80") + "\nExtra instruction: make it shorter", briefText, "call 911", "Thank you"},
		"more formal":   {settingsText + "\nExtra instruction: more formal please", briefText, "Dear [[P1]],", "formal"},
		"simpler":       {change("grade 6", "grade 12") + "\nExtra instruction: simpler", briefText, "find it hard to breathe", "deteriorate"},
		"urgent":        {settingsText, strings.ReplaceAll(briefText, "Urgency: normal", "Urgency: urgent"), "call us now", "what we say"},
		"paperwork":     {settingsText, strings.ReplaceAll(briefText, "Kind: clinical", "Kind: administrative"), "check that this works", "what we say"},
		"no inquiry":    {settingsText, strings.ReplaceAll(briefText, "What happened: Dry cough since the new tablets.\nNo fever.\n", ""), "We have some news", "Thank you"},
		"easy words":    {settingsText, strings.ReplaceAll(briefText, "your cough", "your hypertension"), "your high blood pressure", "hypertension"},
		"no settings":   {"", briefText, "Call the clinic if you have any questions.", "team"},
		"no brief":      {settingsText, "hello", "I was given no brief", "Hello"},
		"broken marker": {settingsText, strings.ReplaceAll(briefText, "\n0123456789abcdef-", "\nfedcba9876543210-"), "I was given no brief", "Hello"},
		"no patient":    {settingsText, strings.ReplaceAll(briefText, "Patient: [[P1]]\n", ""), "I was given no brief", "Hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := w.draft(c.settings, c.brief).text()
			if folded := strings.ToLower(text); !strings.Contains(folded, strings.ToLower(c.holds)) || strings.Contains(folded, strings.ToLower(c.lacks)) {
				t.Fatalf("want %q and not %q in: %s", c.holds, c.lacks, text)
			}
		})
	}
	alarm := strings.ReplaceAll(briefText, "Dry cough", "Chest pain")
	if a := w.draft(settingsText, alarm); a.Urgency != "urgent" {
		t.Errorf("chest pain is %s", a.Urgency)
	}
}

func TestChatRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.settings["OPENAI_API_KEY"]
	for name, c := range map[string]struct {
		key    string
		bend   func(*openai.ChatCompletionRequest)
		status int
		says   string
	}{
		"wrong key":   {"sk-wrong", func(*openai.ChatCompletionRequest) {}, 401, "Incorrect API key"},
		"no model":    {key, func(r *openai.ChatCompletionRequest) { r.Model = "" }, 400, "model parameter"},
		"no messages": {key, func(r *openai.ChatCompletionRequest) { r.Messages = nil }, 400, "messages"},
		"bad role":    {key, func(r *openai.ChatCompletionRequest) { r.Messages[0].Role = "boss" }, 400, "'boss'"},
		"no schema":   {key, func(r *openai.ChatCompletionRequest) { r.ResponseFormat.JSONSchema = nil }, 400, "json_schema"},
		"open schema": {key, func(r *openai.ChatCompletionRequest) {
			r.ResponseFormat.JSONSchema.Schema = json.RawMessage(strings.Replace(draftSchema, `"additionalProperties":false,`, "", 1))
		}, 400, "'additionalProperties' is required"},
		"optional key": {key, func(r *openai.ChatCompletionRequest) {
			r.ResponseFormat.JSONSchema.Schema = json.RawMessage(strings.Replace(draftSchema, `["text","facts"]`, `["text"]`, 1))
		}, 400, "Missing 'facts'"},
	} {
		t.Run(name, func(t *testing.T) {
			r := chat(settingsText, briefText)
			c.bend(&r)
			_, err := w.openai(c.key).CreateChatCompletion(context.Background(), r)
			var refused *openai.APIError
			if !errors.As(err, &refused) || refused.HTTPStatusCode != c.status || !strings.Contains(refused.Message, c.says) {
				t.Fatalf("%v", err)
			}
		})
	}
	if log := w.log(); len(log) != 0 {
		t.Fatalf("refused prompts are in the log: %v", log)
	}
}

func TestChatOtherFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.openai(w.settings["OPENAI_API_KEY"])
	r := chat(settingsText, briefText)
	r.ResponseFormat = nil
	resp, err := client.CreateChatCompletion(context.Background(), r)
	if err != nil || !strings.HasPrefix(resp.Choices[0].Message.Content, "Hello [[P1]], ") {
		t.Fatalf("%v %v", resp, err)
	}
	r.MaxCompletionTokens = 5
	resp, err = client.CreateChatCompletion(context.Background(), r)
	if err != nil || resp.Choices[0].FinishReason != "length" || resp.Usage.CompletionTokens != 5 {
		t.Fatalf("%v %v", resp, err)
	}
	r = chat(settingsText, briefText)
	r.ResponseFormat.JSONSchema.Schema = json.RawMessage(`{"type":"object","additionalProperties":false,"required":["urgency","title"],"properties":{"urgency":{"type":"string"},"title":{"type":"string"}}}`)
	resp, err = client.CreateChatCompletion(context.Background(), r)
	if err != nil || resp.Choices[0].Message.Content != `{"title":"","urgency":"normal"}` {
		t.Fatalf("another schema: %v %v", resp.Choices, err)
	}
}

func TestModelFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for kind, fits := range map[string]func(streamed) bool{
		"bad-json": func(s streamed) bool { return s.err == nil && s.finish == "stop" && !json.Valid([]byte(s.content)) },
		"refusal": func(s streamed) bool {
			return s.err == nil && s.content == "" && strings.HasPrefix(s.refusal, "I'm sorry")
		},
		"truncated":           func(s streamed) bool { return s.finish == "length" && !json.Valid([]byte(s.content)) },
		"reset-after-headers": func(s streamed) bool { return s.err != nil && s.content != "" && s.finish == "" },
		"refuse":              func(s streamed) bool { return s.err != nil && s.content == "" },
		"500":                 func(s streamed) bool { return statusOf(s.err) == http.StatusInternalServerError },
		"429":                 func(s streamed) bool { return statusOf(s.err) == http.StatusTooManyRequests },
	} {
		w.faults(`{"openai":[{"kind":"` + kind + `","probability":1}]}`)
		if s := w.stream(chat(settingsText, briefText)); !fits(s) {
			t.Errorf("%s: %+v", kind, s)
		}
	}
}

func statusOf(err error) int {
	var refused *openai.APIError
	if errors.As(err, &refused) {
		return refused.HTTPStatusCode
	}
	return 0
}
