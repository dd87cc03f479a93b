package clinic

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// AuditFilter is what a reader of the trail asks for; what is empty narrows nothing. Ids and codes may stand in an address;
// MRN and Address are terms and never do.
type AuditFilter struct {
	Person   uuid.UUID
	Patient  uuid.UUID
	MRN      string // exact; it takes the place of Patient
	Deed     Deed
	Outcome  string // done, refused, or any
	Address  string
	From, To string // days on the clinic's clock, 2006-01-02, both included
	After    string // where the next page begins
}

// Narrowed says whether the filter leaves out events.
func (f AuditFilter) Narrowed() bool { f.After = ""; return f != AuditFilter{} }

// AuditRow is one event as people read it. Of a patient it holds the id, and for whom the table lets know more, the name.
type AuditRow struct {
	ID, PatientID, SubjectID, ActorID uuid.UUID
	At                                time.Time
	Who                               string // a person's name, or which machine
	Role                              string
	Did, Words                        string // the deed, and what it was
	About                             string // the kind of thing it was done to
	Patient                           Text
	Refused                           bool
	Why                               string // of a refusal
	Kind, SubjectKind, Reason         string // as they are kept
	IP, Agent, RequestID              string
	Detail                            []AuditFact
	Rec                               []byte // the canonical bytes
}

// AuditFact is one entry of an event's detail: names, ids, codes and numbers.
type AuditFact struct{ Name, Value string }

// AuditPage is one page of the trail, the newest first.
type AuditPage struct {
	Filter  AuditFilter
	Rows    []AuditRow
	Next    string
	People  []Person // whom one can ask for
	Patient Text     // the one that is asked for, if the actor may know the name
}

// AuditSearch reads the clinic's trail, the newest first. Each search is an act on it: what it asked for as ids and codes, its
// terms as HMACs, and how many events it showed. Fields: mrn address from to deed outcome.
func (c *Clinic) AuditSearch(ctx context.Context, a Actor, f AuditFilter) (AuditPage, error) {
	return list(ctx, c, a, AuditSearch, Subject{Kind: "trail"}, func(t *tx, page *AuditPage) (err error) {
		page.Filter = f
		if page.People, err = t.auditPeople(ctx); err != nil {
			return err
		}
		p, err := t.auditAsked(ctx, &page.Filter)
		if err != nil {
			return err
		}
		from := t.cursorFrom(f.After)
		p.Before, p.BeforeID, p.RowLimit = from.At, from.ID, auditPage+1
		if p.Before.After(p.Until) { // where the days end, the reading begins: an index is not searched through down to there
			p.Before, p.BeforeID = p.Until, uuid.Nil
		}
		rows, err := t.AuditFind(ctx, p)
		if err != nil {
			return err
		}
		if len(rows) > auditPage {
			rows = rows[:auditPage]
			last := rows[len(rows)-1]
			page.Next = timeCursor{last.At, last.ID}.String()
		}
		t.detail["hits"] = len(rows)
		if f.After != "" {
			t.detail["before"] = from.At.Format(time.RFC3339)
		}
		for _, r := range rows {
			page.Rows = append(page.Rows, auditRow(r))
		}
		page.Patient, err = t.auditNames(ctx, page.Rows, page.Filter.Patient)
		return err
	})
}

func (t *tx) auditPeople(ctx context.Context) (all []Person, err error) {
	rows, err := t.AuditPeople(ctx, t.clinicID())
	for _, r := range rows {
		all = append(all, Person{r.ID, r.Name, r.Role})
	}
	return all, err
}

// auditAsked reads the filter, finds the patient that it means, and puts on the trail what was asked for.
func (t *tx) auditAsked(ctx context.Context, f *AuditFilter) (db.AuditFindParams, error) {
	p := db.AuditFindParams{ClinicID: t.clinicID(), ActorID: orNull(f.Person), Since: time.Unix(0, 0), Until: t.at.AddDate(1, 0, 0)}
	var v form
	if f.MRN = tidy(f.MRN); f.MRN != "" {
		t.detail["term"] = t.c.termOf(f.MRN)
		found, err := t.AuditPatientByAdmin(ctx, db.AuditPatientByAdminParams{ClinicID: t.clinicID(), MrnIndex: t.c.keys.Index("mrn", looseKey(f.MRN))})
		if err != nil {
			return p, err
		}
		if len(found) == 0 {
			v.bad("mrn", "No patient of this clinic has this MRN. Check each digit.")
		} else {
			f.Patient, f.MRN = found[0], "" // from here on the id stands for it
		}
	}
	if err := t.auditDays(ctx, *f, &p, &v); err != nil {
		return p, err
	}
	t.auditCodes(f, &p, &v)
	if err := v.err(); err != nil {
		return p, err
	}
	p.PatientID, t.subject.Patient = orNull(f.Patient), f.Patient
	for name, value := range map[string]string{"deed": string(f.Deed), "outcome": f.Outcome, "from": f.From, "to": f.To} {
		if value != "" {
			t.detail[name] = value
		}
	}
	if f.Person != uuid.Nil {
		t.detail["person"] = f.Person.String()
	}
	return p, t.AuditPlanEach(ctx)
}

// termOf is how a term stands on the trail.
func (c *Clinic) termOf(term string) string {
	return hex.EncodeToString(c.keys.Index("search", looseKey(term))[:8])
}

// auditDays reads the two days on the clinic's clock.
func (t *tx) auditDays(ctx context.Context, f AuditFilter, p *db.AuditFindParams, v *form) error {
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return err
	}
	day := func(field, s string) (time.Time, bool) {
		if s == "" {
			return time.Time{}, false
		}
		at, err := time.ParseInLocation(time.DateOnly, s, zoneOf(cl))
		if err != nil || at.Year() < 2000 {
			v.bad(field, "Please give the day as year-month-day, for example 2026-11-25.")
			return at, false
		}
		return at, true
	}
	from, hasFrom := day("from", f.From)
	to, hasTo := day("to", f.To)
	if hasFrom {
		p.Since = from
	}
	if hasTo {
		p.Until = to.AddDate(0, 0, 1)
	}
	if hasFrom && hasTo && to.Before(from) {
		v.bad("to", "The last day is before the first. Nothing can be in between.")
	}
	return nil
}

// auditCodes reads deed, outcome and address.
func (t *tx) auditCodes(f *AuditFilter, p *db.AuditFindParams, v *form) {
	if f.Deed != "" {
		if _, known := deedWords[f.Deed]; !known {
			v.bad("deed", "Please choose an act from the list.")
		}
		p.Deed = ptr(string(f.Deed))
	}
	if f.Outcome != "" {
		if f.Outcome != "done" && f.Outcome != "refused" {
			v.bad("outcome", "Please choose what came of it.")
		}
		p.Outcome = &f.Outcome
	}
	if f.Address = strings.TrimSpace(f.Address); f.Address != "" {
		at, err := netip.ParseAddr(f.Address)
		if err != nil {
			v.bad("address", "This is no address. One looks like 192.0.2.7 or 2001:db8::7.")
		}
		t.detail["address"] = t.c.termOf(f.Address)
		f.Address = at.String()
		p.Ip = &f.Address
	}
}

// auditNames gives the rows the patients' names, and returns that of one more, if the actor may know them: an administrator
// may, an auditor works with ids.
func (t *tx) auditNames(ctx context.Context, rows []AuditRow, also uuid.UUID) (Text, error) {
	if !t.actor.Can(TeamShow) {
		return "", nil
	}
	var ids []uuid.UUID
	for _, r := range rows {
		if r.PatientID != uuid.Nil && !slices.Contains(ids, r.PatientID) {
			ids = append(ids, r.PatientID)
		}
	}
	names, err := t.AuditNamesByAdmin(ctx, db.AuditNamesByAdminParams{ClinicID: t.clinicID(), Ids: append(ids, also)})
	if err != nil {
		return "", err
	}
	of := map[uuid.UUID]Text{}
	for _, n := range names {
		b := t.c.chest(n.ID, n.Wrapped)
		if name := b.open(n.NameSealed, "patients", "name", n.ID); b.err == nil { // a name that does not open must not hide the trail
			of[n.ID] = name
		}
	}
	for i := range rows {
		rows[i].Patient = of[rows[i].PatientID]
	}
	return of[also], nil
}

func auditRow(r db.AuditFindRow) AuditRow {
	return AuditRow{ID: r.ID, At: r.At, PatientID: orZero(r.PatientID), SubjectID: orZero(r.SubjectID), ActorID: orZero(r.ActorID), Who: whoWords(r.ActorKind, r.ActorName), Role: r.Role,
		Did: r.Deed, Words: DeedWords(Deed(r.Deed)), About: subjectWords(r.SubjectKind), Refused: r.Outcome == "refused", Why: reasonWords(r.Reason),
		IP: r.Ip, Agent: r.Agent, RequestID: r.RequestID, Detail: factsOf(r.Detail), Rec: r.Rec,
		Kind: r.ActorKind, SubjectKind: r.SubjectKind, Reason: r.Reason}
}

// factsOf is an event's detail, by name. What is nested is shown as it is stored.
func factsOf(raw []byte) (facts []AuditFact) {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	for name, value := range all {
		var word string
		if json.Unmarshal(value, &word) != nil {
			word = string(value)
		}
		facts = append(facts, AuditFact{strings.ReplaceAll(name, "_", " "), word})
	}
	slices.SortFunc(facts, func(a, b AuditFact) int { return strings.Compare(a.Name, b.Name) })
	return facts
}
