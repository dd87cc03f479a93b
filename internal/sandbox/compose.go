package sandbox

import (
	"regexp"
	"slices"
	"strings"
)

// draft is the model's answer.
type draft struct {
	Sentences []sentence `json:"sentences"`
	Urgency   string     `json:"urgency"`
}

type sentence struct {
	Text  string   `json:"text"`
	Facts []string `json:"facts"`
	need  int      // 0 is always said; of the others the lowest are said first while there are words left
}

const noBrief = "I was given no brief, so there is nothing that I can write."

func (d draft) prose() string {
	var all []string
	for _, s := range d.Sentences {
		all = append(all, s.Text)
	}
	return strings.Join(all, " ")
}

// compose writes a message from what the prompt holds and from nothing else. The greeting, the points and the facts
// are always said; the rest is said in the order of its need while the word limit allows.
func compose(p prompt) draft {
	if !p.hasBrief {
		return draft{Sentences: []sentence{{Text: noBrief, Facts: []string{}}}, Urgency: "normal"}
	}
	p.heedInstruction()
	voice := p.voice()
	all := []sentence{{Text: voice.greeting + " " + p.patient + ","}, {Text: p.opener(voice), need: 5}}
	all = append(all, p.substance()...)
	all = append(all,
		sentence{Text: p.extra()},
		sentence{Text: p.nextStep(), need: 3},
		sentence{Text: p.worry(), need: 1},
		sentence{Text: p.whoToCall(), need: 2},
		sentence{Text: voice.closer, need: 4},
	)
	d := draft{Sentences: fitWords(all, p.maxWords), Urgency: p.judgedUrgency()}
	for i := range d.Sentences {
		if d.Sentences[i].Facts == nil {
			d.Sentences[i].Facts = []string{}
		}
	}
	return d
}

// fitWords leaves out the sentences that are needed least until the rest fits. No limit means 150 words.
func fitWords(all []sentence, limit int) []sentence {
	all = slices.DeleteFunc(all, func(s sentence) bool { return s.Text == "" })
	if limit <= 0 {
		limit = 150
	}
	for {
		words, least := 0, 0
		for i, s := range all {
			words += len(strings.Fields(s.Text))
			if s.need > all[least].need {
				least = i
			}
		}
		if words <= limit || len(all) == 0 || all[least].need == 0 {
			return all
		}
		all = slices.Delete(all, least, least+1)
	}
}

// heedInstruction turns the common wishes of a doctor who asks for another draft into settings.
func (p *prompt) heedInstruction() {
	for _, w := range wishes[:len(wishes)-1] {
		if w.shape.MatchString(p.instruction) {
			return // it asks for something to be said
		}
	}
	switch wish := p.instruction; {
	case wishShorter.MatchString(wish):
		p.maxWords = max(1, firstPositive(p.maxWords, 150)/2)
	case wishWarmer.MatchString(wish):
		p.tone = "warm"
	case wishFormal.MatchString(wish):
		p.tone = "formal"
	case wishSimpler.MatchString(wish):
		p.grade = 4
	default:
		return
	}
	p.instruction = ""
}

var (
	wishShorter = regexp.MustCompile(`(?i)\b(short(er)?|brief(er|ly)?|concise)\b`)
	wishWarmer  = regexp.MustCompile(`(?i)\b(warm(er)?|kind(er)?|friendl(y|ier))\b`)
	wishFormal  = regexp.MustCompile(`(?i)\bformal\b`)
	wishSimpler = regexp.MustCompile(`(?i)\b(simpl(e|er|ify)|plain(er)?|easier)\b`)
)

var wishes = []struct {
	shape *regexp.Regexp
	said  string
}{
	{regexp.MustCompile(`(?i)^(?:please )?(?:remind|ask|tell|advise) (?:the patient|her|him|them) to (.+)$`), "Please also "},
	{regexp.MustCompile(`(?i)^(?:please )?(?:remind|tell) (?:the patient|her|him|them) (?:that|about) (.+)$`), "Please also know: "},
	{regexp.MustCompile(`(?i)^(?:please )?(?:add|mention|say|include)(?: that| about)? (.+)$`), "Please also know: "},
	{regexp.MustCompile(`^(.+)$`), "Please also note: "},
}

// extra is the sentence that an instruction asks for.
func (p prompt) extra() string {
	for _, w := range wishes {
		if found := w.shape.FindStringSubmatch(p.instruction); found != nil {
			return w.said + ended(found[1])
		}
	}
	return ""
}

var alarming = regexp.MustCompile(`(?i)chest (pain|tight)|short(ness)? of breath|can(no|')t breathe|suicid|stroke|faint|anaphyla|numb on one side`)

func (p prompt) judgedUrgency() string {
	if alarming.MatchString(p.inquiry) {
		return "urgent"
	}
	if slices.Contains([]string{"low", "normal", "high", "urgent"}, p.urgency) {
		return p.urgency
	}
	return "normal"
}

// substance says every point, and every fact with its id: inside a point that already holds it, else in a sentence of
// its own.
func (p prompt) substance() []sentence {
	var all []sentence
	said := map[string]bool{}
	for _, point := range p.points {
		for part := range strings.SplitSeq(point, "; ") {
			s := sentence{Text: capital(ended(p.plain(part)))}
			for _, f := range p.facts {
				if containsFold(s.Text, f.text) {
					said[f.id] = true
					s.Facts = append(s.Facts, f.id)
				} else if containsWord(s.Text, firstWord(f.text)) {
					s.Facts = append(s.Facts, f.id)
				}
			}
			all = append(all, s)
		}
	}
	for _, f := range p.facts {
		if !said[f.id] {
			all = append(all, sentence{Text: factSentence(f), Facts: []string{f.id}})
		}
	}
	return all
}

var factFrames = map[string]string{
	"drug": "This is about your medicine: ", "result": "Your result: ", "value": "Your result: ", "date": "Please keep this date: ",
	"allergy": "Your chart lists this allergy: ", "instruction": "",
}

func factSentence(f fact) string {
	frame, known := factFrames[f.kind]
	if !known {
		frame = "For your " + f.kind + ": "
	}
	return capital(frame + ended(f.text))
}

func ended(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") {
		return text
	}
	return text + "."
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// containsWord looks for a whole word of four letters or more; shorter ones say nothing.
func containsWord(text, word string) bool {
	return len(word) > 3 && regexp.MustCompile(`(?i)\b`+regexp.QuoteMeta(word)+`\b`).MatchString(text)
}
