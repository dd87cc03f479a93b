package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// fieldKind is what a field may hold. What a person typed wrongly is said beside the field, by clinic; here is refused what
// no form of ours sends.
type fieldKind int

const (
	fieldLine   fieldKind = iota // one line that a person types
	fieldArea                    // several
	fieldChoice                  // a word that a button, a list or a hidden field brings
	fieldNumber                  // a whole number that a hidden field or a list brings
	fieldID                      // a UUID, or nothing
)

// field is what a form may hold under one name.
type field struct {
	kind fieldKind
	most int  // characters; 0 where clinic says beside the field how many
	many bool // may come several times

	// coded is true for a line that is typed and holds a date, a zone or a number, so that the filter may look at it.
	coded bool
}

// leftOut is what the filter never sees: whatever people write, unless it is declared to be something else. So a field that
// is new, and about whose words nobody has thought, is left out.
func (f field) leftOut() bool { return f.kind == fieldArea || f.kind == fieldLine && !f.coded }

// fields are the names that a form may hold.
type fields map[string]field

// forms is every form there is, by the address it is posted to. A form that is not here stops the boot.
func forms() map[string]fields {
	version := fields{"version": {kind: fieldNumber}}
	text := version.with(fields{"text": {kind: fieldArea}})
	finding := text.with(fields{"key": {kind: fieldChoice}})
	patient := version.with(fields{"id": {kind: fieldID}, "doctor_id": {kind: fieldID}, "name": {}, "birth_date": {most: 40}, "mrn": {}, "phone": {most: 60},
		"email": {}, "language": {kind: fieldChoice}, "time_zone": {most: 60, coded: true}, "allergies": {kind: fieldArea}, "medications": {kind: fieldArea},
		"summary": {kind: fieldArea}, "history": {kind: fieldArea}, "notes": {kind: fieldArea}})
	brief := version.with(fields{"id": {kind: fieldID}, "patient_id": {kind: fieldID}, "doctor_id": {kind: fieldID}, "inquiry": {kind: fieldArea},
		"points": {kind: fieldArea}, "fact_kind": {kind: fieldChoice, many: true}, "fact_text": {many: true}, "priority": {kind: fieldChoice},
		"kind": {kind: fieldChoice}, "channel": {kind: fieldChoice}, "send_at": {most: 40, coded: true}, "next": {kind: fieldChoice}, "add": {kind: fieldChoice}})
	settings := version.with(fields{"tone": {kind: fieldChoice}, "reading_level": {kind: fieldChoice}, "max_words": {most: 20, coded: true}, "specialty": {},
		"sign_off": {kind: fieldArea}})
	from := version.with(fields{"from": {kind: fieldChoice}})
	listed := fields{"show": {kind: fieldChoice}, "channel": {kind: fieldChoice}, "code": {kind: fieldChoice}, "age": {kind: fieldChoice}}
	network := fields{"what": {most: 60, coded: true}, "reason": {}, "lasts": {kind: fieldNumber}, "sure": {kind: fieldChoice}}
	asked := fields{"person": {kind: fieldID}, "patient": {kind: fieldID}, "deed": {kind: fieldChoice}, "outcome": {kind: fieldChoice}}
	trail := asked.with(fields{"mrn": {most: 40}, "address": {most: 60, coded: true}, "from": {most: 20, coded: true}, "to": {most: 20, coded: true},
		"after": {kind: fieldChoice, most: 200}})
	export := asked.with(fields{"address": {kind: fieldChoice}, "from": {kind: fieldChoice}, "to": {kind: fieldChoice}, "format": {kind: fieldChoice}}) // as was searched
	return map[string]fields{
		"/sign-out": {}, "/sessions/end-others": {}, "/sessions/:id/end-other": {}, "/sessions/:id/end-any": {"of": {kind: fieldID}},
		"/patients/search": {"term": {most: 100}}, "/patients/new": patient, "/patients/:id/edit": patient,
		"/briefs": brief, "/briefs/flags": brief, "/briefs/:id/edit": brief,
		"/settings": settings, pathPreview: settings,

		"/drafts/:id/request": {"instruction": {}}, "/drafts/:id/by-hand": {},
		"/drafts/:id/check": text, "/drafts/:id/edit": text.with(fields{"save": {kind: fieldChoice}}),
		"/drafts/:id/findings": finding, "/drafts/:id/submit": text,
		"/reviews/:id/approve": text, "/reviews/:id/return": version.with(fields{"note": {kind: fieldArea}}),
		"/reviews/:id/recall": version, "/reviews/:id/findings": {"key": {kind: fieldChoice}},
		"/messages/:id/undo": version, "/messages/:id/withdraw": version,
		"/messages/:id/schedule": from.with(fields{"seen": {kind: fieldChoice}, "send_at": {most: 40, coded: true}, "when": {kind: fieldChoice}}),
		"/deliveries/preview":    listed.with(fields{"pick": {kind: fieldID, many: true}, "all": {kind: fieldChoice}}),
		"/deliveries/retry":      {"row": {kind: fieldChoice, many: true}},
		"/deliveries/:id/resend": from, "/deliveries/:id/mark-sent": from,
		"/calls/:id/record":       from.with(fields{"outcome": {kind: fieldChoice}}),
		"/alerts/:id/acknowledge": version.with(fields{"note": {}}), "/alerts/:id/silence": version.with(fields{"lasts": {kind: fieldNumber}}),
		"/breakers/:channel/open": version, "/breakers/:channel/close": version,

		"/glass/break": {"mrn": {}, "name": {}, "birth_date": {most: 40}, "reason": {kind: fieldArea}}, "/glass/:id/end": {},
		"/glass/:id/review": {"note": {kind: fieldArea}},
		"/staff/:id/assign": {"role": {kind: fieldChoice}}, "/staff/:id/disable": {}, "/staff/:id/enable": {},
		"/teams/search": {"term": {most: 100}}, "/teams/:id/join": {"staff": {kind: fieldID}}, "/teams/:id/leave": {"staff": {kind: fieldID}},
		"/clinic": clinicFormFields(version), "/jobs/:job/run": {},
		"/networks/block": network, "/networks/allow": network, "/networks/:id/unblock": {"sure": {kind: fieldChoice}},
		"/security/edit": {"sign_fresh": {kind: fieldNumber}},

		pathVitals:      {"page": {kind: fieldChoice}, "LCP": {most: 20, coded: true}, "CLS": {most: 20, coded: true}, "INP": {most: 20, coded: true}, "TTFB": {most: 20, coded: true}},
		"/audit/search": trail, pathAuditExport: export, "/audit/verify": {},
		"/access/:id/sign": {"note": {kind: fieldArea}},

		"/m/:token": {"lang": {kind: fieldChoice}, "month": {most: 20, coded: true}, "day": {most: 20, coded: true}, "year": {most: 20, coded: true}}, "/m/:token/acknowledge": {},
	}
}

// clinicFormFields are the clinic's settings: its switches, and the limits of each role.
func clinicFormFields(version fields) fields {
	house := version.with(fields{"notice_name": {}, "phone": {most: 60, coded: true}, "emergency_line": {most: 40, coded: true}, "zone": {most: 60, coded: true},
		"undo_seconds": {most: 20, coded: true}, "page_days": {most: 20, coded: true}, "retention_years": {most: 20, coded: true}, "retention_seen": {most: 20, coded: true}})
	for _, name := range clinicSwitches {
		house[name] = field{kind: fieldChoice}
	}
	for _, role := range limitedRoles {
		for _, name := range limitFields {
			house[string(role)+"_"+name] = field{most: 20, coded: true}
		}
	}
	return house
}

func (f fields) with(more fields) fields {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

// hasForm is true for the routes whose body is a form of ours: not a machine's, nor the queue board's.
func (r *route) hasForm() bool {
	return r.method == http.MethodPost && r.door != doorMachine && !strings.HasPrefix(r.path, pathBoard)
}

// layForms gives each route its form, and refuses to begin when one has none or nobody posts one.
func layForms(table []route) (map[string]fields, error) {
	all := forms()
	posted := map[string]bool{}
	for _, r := range table {
		if !r.hasForm() {
			continue
		}
		if _, ok := all[r.path]; !ok {
			return nil, fmt.Errorf("web: forms.go does not say what POST %s may hold", r.path)
		}
		posted[r.path] = true
	}
	for path := range all {
		if !posted[path] {
			return nil, fmt.Errorf("web: forms.go has a form for %s, where none is posted", path)
		}
	}
	return all, nil
}

// check refuses a form that holds what no page of ours sends: another field, one twice, what is no text, a line that is
// several, or more than a field can be meant to hold.
func (f fields) check(sent form) error {
	for _, name := range slices.Sorted(maps.Keys(sent.values)) {
		values := sent.values[name]
		known, ok := f[name]
		shown := quoted(name)
		switch {
		case !ok:
			return strange("This form holds a field that does not belong to it (" + shown + "), so nothing was done. A browser extension may have added it.")
		case len(values) > 1 && !known.many:
			return strange("This form holds the field " + shown + " twice, so nothing was done: it is not clear which one you mean.")
		}
		for _, value := range values {
			if wrong := known.wrong(value); wrong != "" {
				return strange("The field " + shown + " " + wrong + ", so nothing was done.")
			}
		}
	}
	return nil
}

func (f field) wrong(value string) string {
	n := utf8.RuneCountInString(value)
	most := f.most
	if most == 0 && (f.kind == fieldChoice || f.kind == fieldNumber || f.kind == fieldID) {
		most = 100
	}
	switch {
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return "holds characters that cannot be read"
	case f.kind != fieldArea && strings.ContainsAny(value, "\r\n"):
		return "holds several lines, and is for one"
	case most > 0 && n > most:
		return fmt.Sprintf("is %d characters too long (at most %d)", n-most, most)
	case f.kind == fieldNumber && strings.Trim(value, "0123456789") != "" || f.kind == fieldNumber && n > 9,
		f.kind == fieldID && value != "" && !isID(value):
		return "is not as the page gave it to you"
	}
	return ""
}

func isID(value string) bool {
	id, err := uuid.Parse(value)
	return err == nil && strings.EqualFold(id.String(), value)
}

// quoted is a field's name as it may be shown: a stranger chose it.
func quoted(name string) string {
	name = strings.ToValidUTF8(name, "?")
	if runes := []rune(name); len(runes) > 40 {
		name = string(runes[:40]) + "…"
	}
	return "“" + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name) + "”"
}

func strange(sentence string) error {
	return &clinic.Error{Kind: clinic.Invalid, Code: "form", Sentence: sentence}
}
