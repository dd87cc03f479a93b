package drafting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxDraft is the longest draft that is accepted, in characters of text.
const MaxDraft = 6_000

// Sentence is one sentence of a draft and the ids of the facts it rests on.
type Sentence struct {
	Text  string
	Facts []string
}

// Draft is an answer that was read, with the tokens still in it.
type Draft struct {
	Sentences []Sentence
	Urgency   string
}

// Format keeps a draft out of logs, whatever the verb.
func (Draft) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[patient]")) }

var urgencies = []string{"low", "normal", "high", "urgent"}

// Schema is the strict JSON schema of an answer, for response_format.
func Schema() json.RawMessage {
	return json.RawMessage(`{"type":"object","additionalProperties":false,"required":["sentences","urgency"],"properties":{` +
		`"sentences":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["text","facts"],"properties":{` +
		`"text":{"type":"string"},"facts":{"type":"array","items":{"type":"string"}}}}},` +
		`"urgency":{"type":"string","enum":["low","normal","high","urgent"]}}}`)
}

// Parse reads an answer and takes nothing but what the schema allows: no other
// field, no other spelling of a field, nothing after the object. Its errors are
// CodeBadJSON, CodeEmpty, CodeBadUrgency and CodeTooLong.
func Parse(raw string) (Draft, error) {
	if len(raw) > 10*MaxDraft {
		return Draft{}, &Error{CodeTooLong}
	}
	if strings.TrimSpace(raw) == "" {
		return Draft{}, &Error{CodeEmpty}
	}
	top, err := object(raw, "sentences", "urgency")
	if err != nil {
		return Draft{}, err
	}
	var d Draft
	var sentences []json.RawMessage
	if json.Unmarshal(top["urgency"], &d.Urgency) != nil || json.Unmarshal(top["sentences"], &sentences) != nil {
		return Draft{}, &Error{CodeBadJSON}
	}
	if !slices.Contains(urgencies, d.Urgency) {
		return Draft{}, &Error{CodeBadUrgency}
	}
	length := 0
	for _, one := range sentences {
		fields, err := object(string(one), "text", "facts")
		if err != nil {
			return Draft{}, err
		}
		var s Sentence
		if bytes.Equal(fields["text"], []byte("null")) || json.Unmarshal(fields["text"], &s.Text) != nil || json.Unmarshal(fields["facts"], &s.Facts) != nil {
			return Draft{}, &Error{CodeBadJSON}
		}
		breaks := strings.HasSuffix(strings.TrimRight(s.Text, " \t"), "\n")
		if s.Text = cleanText(s.Text); s.Text == "" {
			return Draft{}, &Error{CodeEmpty}
		}
		if breaks {
			s.Text += "\n"
		}
		length += utf8.RuneCountInString(s.Text) + 1
		d.Sentences = append(d.Sentences, s)
	}
	if len(d.Sentences) == 0 {
		return Draft{}, &Error{CodeEmpty}
	}
	if length > MaxDraft {
		return Draft{}, &Error{CodeTooLong}
	}
	return d, nil
}

// object reads a JSON object that has exactly these fields, each once.
func object(raw string, fields ...string) (map[string]json.RawMessage, error) {
	bad := &Error{CodeBadJSON}
	decoder := json.NewDecoder(strings.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, bad
	}
	found := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, bad
		}
		field, _ := name.(string)
		var value json.RawMessage
		if _, twice := found[field]; twice || !slices.Contains(fields, field) || decoder.Decode(&value) != nil {
			return nil, bad
		}
		found[field] = value
	}
	if _, err := decoder.Token(); err != nil || len(found) != len(fields) {
		return nil, bad
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, bad
	}
	return found, nil
}

// Placed is a sentence in the restored text: its bytes, and the facts of the
// brief it rests on. A fact the brief does not have is left out, so a sentence
// with made-up grounds stands there as one without any.
type Placed struct {
	Start, End int
	Facts      []string
}

var (
	tokenShape   = regexp.MustCompile(`\[\[[A-Z]+[0-9]+\]\]`)
	anyToken     = regexp.MustCompile(`\[\[|\]\]`)
	greetingWord = regexp.MustCompile(`^(?i:dear|hi|hello|hey|good (?:morning|afternoon|evening|day)|greetings)\b`)
)

// sentencesPerParagraph is where a draft that makes no paragraphs is broken.
const sentencesPerParagraph = 4

// Restore writes the draft out with the names put back: the greeting on a line
// of its own, then paragraphs. CodeUnknownToken when the draft has a token that
// stands for nothing.
func (p Prompt) Restore(d Draft) (string, []Placed, error) {
	var b strings.Builder
	var placed []Placed
	sentences := splitGreeting(d.Sentences)
	ownBreaks := slices.ContainsFunc(sentences[:max(0, len(sentences)-1)], func(s Sentence) bool { return strings.HasSuffix(s.Text, "\n") })
	inParagraph, newParagraph := 0, false
	for i, s := range sentences {
		for _, token := range tokenShape.FindAllString(s.Text, -1) {
			if !p.Names.knows(token) {
				return "", nil, &Error{CodeUnknownToken}
			}
		}
		if anyToken.MatchString(tokenShape.ReplaceAllString(s.Text, "")) {
			return "", nil, &Error{CodeUnknownToken}
		}
		text := strings.Join(strings.Fields(s.Text), " ")
		switch {
		case i == 0:
		case newParagraph || !ownBreaks && inParagraph >= sentencesPerParagraph && len(sentences)-i > 1:
			b.WriteString("\n\n")
			inParagraph = 0
		default:
			b.WriteByte(' ')
		}
		start := b.Len()
		b.WriteString(p.Names.Out(text))
		greeting := i == 0 && isGreeting(text)
		newParagraph = greeting || strings.HasSuffix(s.Text, "\n")
		if !greeting {
			inParagraph++
		}
		placed = append(placed, Placed{start, b.Len(), p.known(s.Facts)})
	}
	return b.String(), placed, nil
}

func (p Prompt) known(ids []string) []string {
	var kept []string
	for _, id := range ids {
		if p.facts[id] && !slices.Contains(kept, id) {
			kept = append(kept, id)
		}
	}
	return kept
}

func isGreeting(text string) bool {
	return greetingWord.MatchString(text) && len(strings.Fields(text)) <= 8 && !strings.ContainsAny(text[:len(text)-1], ".,!?")
}

// splitGreeting makes two of a first sentence that greets and goes on.
func splitGreeting(sentences []Sentence) []Sentence {
	if len(sentences) == 0 || isGreeting(strings.TrimSpace(sentences[0].Text)) || !greetingWord.MatchString(sentences[0].Text) {
		return sentences
	}
	comma := strings.IndexAny(sentences[0].Text, ",!")
	if comma < 0 || !isGreeting(sentences[0].Text[:comma+1]) {
		return sentences
	}
	rest := strings.TrimSpace(sentences[0].Text[comma+1:])
	if first, size := utf8.DecodeRuneInString(rest); size > 0 {
		rest = string(unicode.ToUpper(first)) + rest[size:]
	}
	split := []Sentence{{Text: sentences[0].Text[:comma+1]}, {Text: rest, Facts: sentences[0].Facts}}
	return append(split, sentences[1:]...)
}
