package check

import "strings"

var (
	emergency = newLexicon(
		"call|dial|phone|ring 911|999|112|000|988|emergency|ambulance", "call|dial|phone|ring ?for ?an ?the ambulance|emergency",
		"911", "999", "go|come|get|went|taken|head .. emergency|er|ed|a&e|hospital|casualty", "nearest|closest ?to ?you emergency|er|hospital",
		"emergency room|department|services|care|help",
		"seek|get ?immediate|urgent|emergency medical|urgent|immediate|emergency ?medical help|care|attention",
		"call|phone|contact|ring .. right|straight away", "call|phone|contact|ring .. immediately|now|once", "call us|me|the|our .. any time|hour",
	)
	declined = []string{"don't need to", "do not need to", "no need to", "not need to", "need not", "needn't", "do not", "don't", "rather than", "instead of", "not necessary to", "no reason to"}

	contact = newLexicon("call|phone|ring|contact|message|text|email|reach|write|reply ?to us|me|the|our|your|my|this|back|clinic|office|practice|nurse|911|doctor|team",
		"call|phone|ring at|on|in|or|if|for|with|when|before", "give us|me|the .. call", "let us|me|your|our know", "our|the|my phone|number", "get in touch", "front|help desk", "send us|me", "emergency room|department", "911")
	worry  = newLexicon("if", "unless", "should you", "in case", "when to", "watch|look out|for", "any time you", "as soon as you", "whenever")
	action = newLexicon("call", "phone", "ring", "contact", "go", "come", "tell", "let us|me|your", "seek", "get", "message", "reach", "stop", "dial", "911", "return", "see", "write", "send", "reply")
	steps  = newLexicon("please", "take", "start", "stop", "keep", "continue", "come", "book", "schedule", "bring", "drink", "rest", "use", "follow", "go",
		"call", "phone", "try", "make", "check", "avoid", "eat", "apply", "finish", "wait", "hold", "pick", "reply", "sign", "fill", "visit", "see", "return", "arrive", "wear", "put",
		"we|i|you will", "we'll", "i'll", "you'll", "next step|visit|appointment|test", "you need|should|can|may|have", "nothing .. do", "don't|not have|need ?to", "due in|on|by", "no change|changes|further|need|action", "your ?next appointment|visit")
	closings = newLexicon("sincerely", "best ?wishes|regards", "kind|warm regards|wishes", "kindly", "warmly", "regards", "take care", "yours ?truly|sincerely|faithfully", "thank you", "thanks", "respectfully", "with care", "dr")
)

// escalation is C10: the brief holds a red flag and the text does not say what
// to do in an emergency.
func escalation(r *reading) ([]Finding, bool) {
	flags := RedFlags(r.Brief)
	if len(flags) == 0 || r.escalates() {
		return nil, true
	}
	var all []Finding
	seen := map[string]bool{}
	for _, f := range flags {
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		all = append(all, Finding{Level: Confirm, Key: f.Name, Title: "The brief mentions " + f.Name + ", and the message does not say what to do in an emergency",
			Detail: f.Advice})
	}
	return all, true
}

// escalates says whether some sentence sends the reader to urgent help, and
// does not say that this is not needed.
func (r *reading) escalates() bool {
	for _, h := range emergency.find(r.tokens) {
		from := h.from
		for from > 0 && h.from-from < 6 && r.tokens[from-1].sentence == r.tokens[h.from].sentence {
			from--
		}
		lead := " " + r.wordsAt(from, h.from-from) + " "
		said := true
		for _, d := range declined {
			if i := strings.LastIndex(lead, " "+d+" "); i >= 0 && !strings.Contains(lead[i:], " but ") && !strings.Contains(lead[i:], " wait ") {
				said = false
			}
		}
		if said {
			return true
		}
	}
	return false
}

// missingParts is C17: who to call, when to worry, the next step, the sign-off.
// Administrative messages need not say when to worry.
func missingParts(r *reading) ([]Finding, bool) {
	var all []Finding
	missing := func(part, detail string) {
		all = append(all, Finding{Level: Confirm, Key: part, Title: "The message does not say " + part, Detail: detail})
	}
	if len(contact.find(r.tokens)) == 0 && !r.saysPhone() {
		missing("who to call", "Give a name or a number for questions.")
	}
	if r.Brief.Kind != "administrative" && !r.saysWhenToWorry() {
		missing("when to worry", "Say which signs need a call, and how soon.")
	}
	if len(steps.find(r.tokens)) == 0 {
		missing("the next step", "Say what the patient or the clinic does next.")
	}
	if strings.TrimSpace(r.SignOff) == "" && !r.closes() {
		missing("who it is from", "End with the signer’s name and role.")
	}
	return all, true
}

func (r *reading) saysPhone() bool {
	for _, q := range r.numbers {
		if q.kind == aPhone {
			return true
		}
	}
	return false
}

// saysWhenToWorry looks for a condition and an act in one sentence.
func (r *reading) saysWhenToWorry() bool {
	conditions, acts := worry.find(r.tokens), action.find(r.tokens)
	for _, c := range conditions {
		for _, a := range acts {
			if r.tokens[c.from].sentence == r.tokens[a.from].sentence {
				return true
			}
		}
	}
	return r.escalates() && len(conditions) > 0
}

// closes says whether the last three sentences hold a closing.
func (r *reading) closes() bool {
	for _, h := range closings.find(r.tokens) {
		if r.tokens[h.from].sentence >= len(r.sentences)-3 {
			return true
		}
	}
	return false
}
