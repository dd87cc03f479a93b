package sandbox

import (
	"regexp"
	"strconv"
	"strings"
)

// prompt is what the model understood of the messages: the settings, one "Name: value" a line, and the brief between
// its random markers. A missing part stays empty, so that a wrong prompt shows in the answer.
type prompt struct {
	tone        string
	grade       int // of reading; 0 when not said
	maxWords    int // 0 when not said
	specialty   string
	instruction string

	hasBrief bool
	patient  string // the token that the greeting uses, e.g. [[P1]]
	kind     string
	urgency  string
	inquiry  string
	points   []string
	facts    []fact
}

type fact struct{ id, kind, text string }

var (
	briefBlock = regexp.MustCompile(`(?s)<<<BRIEF-([0-9a-f]{16})\n(.*)\n([0-9a-f]{16})-BRIEF>>>`)
	numberIn   = regexp.MustCompile(`\d+`)
	factLine   = regexp.MustCompile(`^- (\S+) ([a-z]+): (.+)$`)
	blockLabel = regexp.MustCompile(`^(Patient|Age band|Kind|Urgency|What happened|What to say|Facts|Summary|History|Medications|Allergies|Notes): ?(.*)$`)
)

func readPrompt(messages []chatMessage) prompt {
	var p prompt
	for _, m := range messages {
		if m.Role != "user" {
			continue
		}
		if found := briefBlock.FindStringSubmatch(string(m.Content)); found != nil && found[1] == found[3] {
			p.readBrief(found[2])
			continue
		}
		for line := range strings.Lines(string(m.Content)) {
			p.readSetting(strings.TrimSpace(line))
		}
	}
	return p
}

func (p *prompt) readSetting(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch name {
	case "Tone":
		p.tone = strings.ToLower(value)
	case "Reading level":
		p.grade, _ = strconv.Atoi(numberIn.FindString(value))
	case "Maximum words":
		p.maxWords, _ = strconv.Atoi(numberIn.FindString(value))
	case "Specialty":
		p.specialty = value
	case "Extra instruction":
		p.instruction = value
	}
}

// readBrief reads the labelled blocks. A block runs until the next label; only the known labels begin one.
func (p *prompt) readBrief(text string) {
	label := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n ")
		if found := blockLabel.FindStringSubmatch(line); found != nil {
			label, line = found[1], found[2]
		}
		if line != "" {
			p.readBriefLine(label, line)
		}
	}
	p.hasBrief = p.patient != "" && (len(p.points) > 0 || len(p.facts) > 0 || p.inquiry != "")
}

func (p *prompt) readBriefLine(label, line string) {
	switch label {
	case "Patient":
		p.patient = line
	case "Kind":
		p.kind = line
	case "Urgency":
		p.urgency = line
	case "What happened":
		p.inquiry = strings.TrimSpace(p.inquiry + " " + line)
	case "What to say":
		if point, ok := strings.CutPrefix(line, "- "); ok {
			p.points = append(p.points, point)
		}
	case "Facts":
		if found := factLine.FindStringSubmatch(line); found != nil {
			p.facts = append(p.facts, fact{found[1], found[2], found[3]})
		}
	}
}
