package clinic

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"countersign/internal/db"
)

// Person is a member of the clinic as shown beside their work.
type Person struct {
	ID   uuid.UUID
	Name string
	Role string
}

// PatientRow is one line of the patients list.
type PatientRow struct {
	ID       uuid.UUID
	Name     Text
	MRN      Text
	Age      int
	Channels []string
	Waiting  int  // messages not yet finished
	Closed   bool // cannot be opened: their key is missing
}

// PatientPage is one page of the list; Next is the cursor of the following one, or empty.
type PatientPage struct {
	Rows  []PatientRow
	Next  string
	Total int
	// Closed is how many of the actor's patients cannot be opened: a search finds them by a whole number only.
	Closed int
}

// Contact is one address of a patient.
type Contact struct {
	ID         uuid.UUID
	Channel    string
	Address    Text
	Verified   bool
	Bounced    bool
	BounceCode string
	OptedOut   bool
}

// Patient is everything the care team may see of one.
type Patient struct {
	ID                                                                    uuid.UUID
	Name, BirthDate, MRN, Summary, History, Medications, Allergies, Notes Text
	Age                                                                   int
	Language, TimeZone                                                    string
	Version                                                               int
	Contacts                                                              []Contact
	Team                                                                  []Person
	Messages                                                              []MessageRow
	CreatedAt, UpdatedAt                                                  time.Time
	ByGlass                                                               bool // read by break-glass
}

// namedPatient is a patient opened just far enough for lists and for C3's other patients.
type namedPatient struct {
	id              uuid.UUID
	name, birth, mr Text
	sortKey         string
	closed          bool
}

// namedPatients opens the names of the actor's patients, in order of name; last are those that cannot be opened.
func (t *tx) namedPatients(ctx context.Context) ([]namedPatient, error) {
	rows, err := t.PatientNames(ctx, db.PatientNamesParams{ClinicID: t.clinicID(), StaffID: t.actor.ID})
	if err != nil {
		return nil, err
	}
	out := make([]namedPatient, 0, len(rows))
	for _, r := range rows {
		b := t.c.chest(r.ID, r.Wrapped)
		p := namedPatient{id: r.ID, name: b.open(r.NameSealed, "patients", "name", r.ID),
			birth: b.open(r.BirthDateSealed, "patients", "birth_date", r.ID), mr: b.open(r.MrnSealed, "patients", "mrn", r.ID)}
		if p.closed, err = b.row(&p.name); err != nil {
			return nil, err
		}
		p.sortKey = sortKey(p.name.Reveal())
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b namedPatient) int {
		if a.closed != b.closed {
			return map[bool]int{true: 1, false: -1}[a.closed]
		}
		if n := strings.Compare(a.sortKey, b.sortKey); n != 0 {
			return n
		}
		return strings.Compare(a.id.String(), b.id.String())
	})
	return out, nil
}

// sortKey orders people by family name, then given names, without regard to case.
func sortKey(name string) string {
	words := strings.Fields(strings.ToLower(norm.NFD.String(name)))
	if len(words) < 2 {
		return strings.Join(words, " ")
	}
	return words[len(words)-1] + " " + strings.Join(words[:len(words)-1], " ")
}

// PatientList lists the actor's patients by name, patientsPerPage at a time. after is the id of the last one seen.
func (c *Clinic) PatientList(ctx context.Context, a Actor, after string) (PatientPage, error) {
	var page PatientPage
	err := c.do(ctx, a, PatientList, Subject{Kind: "patients"}, func(t *tx) error {
		all, err := t.namedPatients(ctx)
		if err != nil {
			return err
		}
		page.Total = len(all)
		if last, err := uuid.Parse(after); err == nil {
			at := slices.IndexFunc(all, func(p namedPatient) bool { return p.id == last })
			all = all[at+1:]
		}
		if len(all) > patientsPerPage {
			all = all[:patientsPerPage]
			page.Next = all[len(all)-1].id.String()
		}
		page.Rows, err = t.patientRows(ctx, all)
		return err
	})
	return page, err
}

func (t *tx) patientRows(ctx context.Context, people []namedPatient) ([]PatientRow, error) {
	ids := make([]uuid.UUID, len(people))
	for i, p := range people {
		ids[i] = p.id
	}
	counts, err := t.PatientCounts(ctx, db.PatientCountsParams{StaffID: t.actor.ID, ClinicID: t.clinicID(), Ids: ids})
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]db.PatientCountsRow, len(counts))
	for _, n := range counts {
		byID[n.ID] = n
	}
	rows := make([]PatientRow, len(people))
	for i, p := range people {
		n := byID[p.id]
		rows[i] = PatientRow{ID: p.id, Name: p.name, MRN: p.mr, Age: ageOn(p.birth.Reveal(), t.at), Channels: n.Channels, Waiting: int(n.Waiting), Closed: p.closed}
	}
	return rows, nil
}

// PatientSearch finds patients of the care team by parts of the name, exact MRN or exact phone; at most searchMost.
// Only a settled search is an act on the trail: the term as an HMAC, and how many it found.
func (c *Clinic) PatientSearch(ctx context.Context, a Actor, term string, settled bool) (PatientPage, error) {
	var page PatientPage
	term = tidy(term)
	err := c.do(ctx, a, PatientSearch, Subject{Kind: "patients"}, func(t *tx) error {
		t.silent = !settled
		all, err := t.namedPatients(ctx)
		if err != nil {
			return err
		}
		exact, err := t.PatientsByIndex(ctx, db.PatientsByIndexParams{ClinicID: t.clinicID(), StaffID: t.actor.ID,
			MrnIndex: c.keys.Index("mrn", looseKey(term)), AddressIndex: c.keys.Index("address", phoneKey(term))})
		if err != nil {
			return err
		}
		words := strings.Fields(plain(term))
		var hits []namedPatient
		for _, p := range all {
			if p.closed {
				page.Closed++
			}
			if slices.Contains(exact, p.id) || !p.closed && hasWords(plain(p.name.Reveal()), words) {
				hits = append(hits, p)
			}
		}
		t.searched(term, len(hits))
		page.Total = len(hits)
		page.Rows, err = t.patientRows(ctx, hits[:min(len(hits), searchMost)])
		return err
	})
	return page, err
}

// searched puts a search on the trail: its term as an HMAC.
func (t *tx) searched(term string, hits int) {
	t.detail["term"], t.detail["hits"] = hex.EncodeToString(t.c.keys.Index("search", looseKey(term))[:8]), hits
}

// plain is a name as people search for it: lower case, accents off.
func plain(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		if r < 0x300 || r > 0x36f {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hasWords: each word begins some part of the name.
func hasWords(name string, words []string) bool {
	parts := strings.Fields(name)
	for _, w := range words {
		if !slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, w) }) {
			return false
		}
	}
	return len(words) > 0
}

func phoneKey(s string) string {
	var f form
	if n := f.phone("phone", s); n != "" && f.fields == nil {
		return n
	}
	return looseKey(s)
}

// PatientShow is the patient's page: summary, contacts, care team and messages.
func (c *Clinic) PatientShow(ctx context.Context, a Actor, id uuid.UUID) (Patient, error) {
	var p Patient
	err := c.do(ctx, a, PatientShow, Subject{Kind: "patient", ID: id, Patient: id}, func(t *tx) (err error) {
		if err := t.readPatient(ctx, id); err != nil {
			return err
		}
		p, _, err = t.patient(ctx, id)
		if err != nil {
			return err
		}
		p.Messages, err = t.messagesOf(ctx, p)
		return err
	})
	return p, err
}

// patient reads one patient of the actor's care teams, or one whom break-glass shows them, with contacts and team.
func (t *tx) patient(ctx context.Context, id uuid.UUID) (Patient, *chest, error) {
	row, err := t.PatientGet(ctx, db.PatientGetParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID, Reading: throughGlass[t.deed], At: t.at})
	if err != nil {
		return Patient{}, nil, found(err)
	}
	t.through(row.ByGlass)
	b := t.c.chest(row.ID, row.Wrapped)
	p := openPatient(b, row)
	p.ByGlass = row.ByGlass
	p.Age = ageOn(p.BirthDate.Reveal(), t.at)
	contacts, err := t.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: t.clinicID(), PatientID: id})
	if err != nil {
		return p, nil, err
	}
	for _, r := range contacts {
		p.Contacts = append(p.Contacts, openContact(b, r))
	}
	team, err := t.TeamOfPatient(ctx, db.TeamOfPatientParams{ClinicID: t.clinicID(), PatientID: id})
	if err != nil {
		return p, nil, err
	}
	for _, m := range team {
		p.Team = append(p.Team, Person{ID: m.ID, Name: m.Name, Role: m.Role})
	}
	return p, b, b.err
}

func openPatient(b *chest, r db.PatientGetRow) Patient {
	p := Patient{ID: r.ID, Language: r.Language, Version: int(r.Version), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	if r.TimeZone != nil {
		p.TimeZone = *r.TimeZone
	}
	p.Name = b.open(r.NameSealed, "patients", "name", r.ID)
	p.BirthDate = b.open(r.BirthDateSealed, "patients", "birth_date", r.ID)
	p.MRN = b.open(r.MrnSealed, "patients", "mrn", r.ID)
	p.Summary = b.open(r.SummarySealed, "patients", "summary", r.ID)
	p.History = b.open(r.HistorySealed, "patients", "history", r.ID)
	p.Medications = b.open(r.MedicationsSealed, "patients", "medications", r.ID)
	p.Allergies = b.open(r.AllergiesSealed, "patients", "allergies", r.ID)
	p.Notes = b.open(r.NotesSealed, "patients", "notes", r.ID)
	return p
}

func openContact(b *chest, r db.ContactsOfPatientRow) Contact {
	out := Contact{ID: r.ID, Channel: r.Channel, Address: b.open(r.AddressSealed, "contacts", "address", r.ID),
		Verified: r.VerifiedAt != nil, Bounced: r.BouncedAt != nil, OptedOut: r.Consent == "out"}
	if r.BounceCode != nil {
		out.BounceCode = *r.BounceCode
	}
	return out
}
