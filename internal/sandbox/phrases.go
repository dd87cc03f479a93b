package sandbox

import "strings"

// voice is how a tone begins and ends.
type voice struct{ greeting, heard, news, closer string }

var voices = map[string]voice{
	"warm":         {"Hello", "Thank you for getting in touch with us.", "We have some news for you.", "We are glad to help you with this."},
	"friendly":     {"Hi", "Thanks for getting in touch.", "Here is some news for you.", "We are happy to help."},
	"empathetic":   {"Dear", "We are sorry that you have this to deal with, and we are glad that you told us.", "We know that waiting for news is hard, so here it is.", "You are not alone with this."},
	"professional": {"Dear", "Thank you for your message.", "We are writing with news about your care.", "Thank you for your trust in our team."},
	"formal":       {"Dear", "Thank you for contacting our office.", "We are writing about your care.", "Thank you for your trust in our team."},
	"concise":      {"Dear", "", "", ""},
	"direct":       {"Hello", "", "", ""},
	"plain":        {"Hello", "We got your message.", "We have news for you.", ""},
}

// voice is the tone's own, or a plain one for a tone that we do not know.
func (p prompt) voice() voice {
	for name, v := range voices {
		if strings.Contains(p.tone, name) {
			return v
		}
	}
	return voices["plain"]
}

func (p prompt) opener(v voice) string {
	if p.inquiry == "" {
		return v.news
	}
	return v.heard
}

// level picks the words for a reading grade: up to 6, up to 9, or above. A grade that was not said counts as 8.
func (p prompt) level(easy, middle, hard string) string {
	switch grade := firstPositive(p.grade, 8); {
	case grade <= 6:
		return easy
	case grade <= 9:
		return middle
	}
	return hard
}

func (p prompt) nextStep() string {
	if p.urgency == "high" || p.urgency == "urgent" {
		return p.level("The next step is to call us now.", "Your next step is to call us as soon as you read this.",
			"As an immediate next step, we ask that you contact us as soon as you have read this message.")
	}
	if p.kind == "administrative" {
		return p.level("The next step is to check that this works for you.", "Your next step is to check that this works for you.",
			"As a next step, please confirm for yourself that this arrangement is convenient.")
	}
	return p.level("The next step is to do what we say here.", "Your next step is to follow this plan and watch how you feel.",
		"As a next step, please follow this plan and observe how your symptoms develop over time.")
}

func (p prompt) worry() string {
	return p.level("If you feel much worse or find it hard to breathe, call 911.",
		"If you feel much worse, or if you have trouble breathing, call 911 right away.",
		"Should your condition deteriorate or should you experience difficulty breathing, call 911 immediately.")
}

func (p prompt) whoToCall() string {
	team := ""
	if p.specialty != "" {
		team = " and ask for the " + strings.ToLower(p.specialty) + " team"
	}
	return "Call the clinic" + team + p.level(" if you want to ask us something.", " if you have any questions.",
		" should you require any further information.")
}

// easyWords are said in place of hard ones up to grade 6; numbers and drug names are never touched.
var easyWords = strings.NewReplacer(
	"medication", "medicine", "Medication", "Medicine", "discontinue", "stop", "Discontinue", "Stop", "commence", "start", "Commence", "Start",
	"approximately", "about", "prior to", "before", "Prior to", "Before", "administer", "give", "utilize", "use", "additional", "more",
	"hypertension", "high blood pressure", "physician", "doctor", "schedule an appointment", "book a visit", "Schedule an appointment", "Book a visit",
)

// plain says a point in the reader's words; what is part of a fact stays as it is.
func (p prompt) plain(point string) string {
	if p.level("easy", "", "") == "" {
		return point
	}
	for _, f := range p.facts {
		if containsFold(point, f.text) {
			return point
		}
	}
	return easyWords.Replace(point)
}
