package clinic

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/seal"
)

// MessageRow is one message in a list, with what it waits for.
type MessageRow struct {
	ID, PatientID  uuid.UUID
	Patient        Text
	Gist           Text // the first words of what the patient asked
	Status         string
	Priority       string
	RedFlag        bool
	Kind, Channel  string
	Open           int
	Doctor, Author string
	Drafting       bool
	DraftFailed    bool
	Delivery       string
	DeliveryWords  string
	Unread         bool // handed over, and not opened in its time
	Unsent         bool // signed, and not sent in time: it waits for a signature again
	DueAt, Since   time.Time
	Late           bool
	Href           string
	Todo           string
	TodoLevel      string
}

// Worklist is what waits, most urgent first.
type Worklist struct {
	Rows    []MessageRow
	Waiting int
	Oldest  time.Time
	Next    string
	Figures []Figure // of the actor's role, on the first page
}

// ownWork are the statuses in which a message waits for its author or its doctor.
var ownWork = []string{"drafting", "draft_ready", "returned"}

// waiting says what waits for a role: reviews of its care teams, and its own unfinished or undelivered messages.
func waiting(r Role) (reviews, own bool) {
	signs := r == Doctor || r == Reviewer
	return signs, signs || r == Staff
}

// calls says on whose worklist the call tasks stand: who signs sees them counted, and in their own list.
func calls(r Role) bool { return r == Staff }

// WorklistShow lists what waits for the actor: for who signs, the reviews of their care teams and their own unfinished
// messages; for staff, their own drafts and returns; and for all of them the deliveries that went wrong.
func (c *Clinic) WorklistShow(ctx context.Context, a Actor, after string) (Worklist, error) {
	return list(ctx, c, a, WorklistShow, Subject{Kind: "worklist"}, func(t *tx, w *Worklist) (err error) {
		reviews, own := waiting(a.Role)
		if after == "" && a.Can(PatientList) {
			if err := t.readWorklist(ctx, reviews, own); err != nil {
				return err
			}
		}
		if after == "" {
			if w.Figures, err = t.figures(ctx); err != nil {
				return err
			}
		}
		if !a.Can(PatientList) {
			return nil
		}
		figures := w.Figures
		statuses, mine := []string{"in_review"}, false
		if !reviews {
			statuses, mine = ownWork, true
		}
		if *w, err = t.worklist(ctx, statuses, mine, after); err != nil {
			return err
		}
		if after == "" {
			if err := t.besides(ctx, w, reviews); err != nil {
				return err
			}
		}
		w.Figures = figures
		return t.counted(ctx, w, reviews, own)
	})
}

// besides adds to the first page what waits beside it: a signer's own unfinished messages and what did not arrive.
// Urgent ones stand first whatever they wait for.
func (t *tx) besides(ctx context.Context, w *Worklist, reviews bool) error {
	if reviews {
		unfinished, err := t.worklist(ctx, ownWork, true, "")
		if err != nil {
			return err
		}
		w.Rows = append(w.Rows, unfinished.Rows...)
	}
	troubled, err := t.troubled(ctx)
	if err != nil {
		return err
	}
	w.Rows = append(troubled, w.Rows...)
	if calls(t.actor.Role) {
		tasks, err := t.callTasks(ctx)
		if err != nil {
			return err
		}
		w.Rows = append(tasks, w.Rows...)
	}
	slices.SortStableFunc(w.Rows, func(a, b MessageRow) int { return cmp.Compare(b.urgency(), a.urgency()) })
	return nil
}

// callTasks are the patients whom staff are to call.
func (t *tx) callTasks(ctx context.Context) ([]MessageRow, error) {
	rows, err := t.callRows(ctx, false, "", worklistPage)
	if err != nil {
		return nil, err
	}
	var out []MessageRow
	for _, r := range rows {
		c, err := t.callRow(r)
		if err != nil {
			return nil, err
		}
		out = append(out, MessageRow{ID: c.MessageID, PatientID: c.PatientID, Patient: c.Patient, Status: "approved", Priority: c.Priority, RedFlag: c.RedFlag, Channel: c.Channel,
			Doctor: c.Doctor, Delivery: "call", DeliveryWords: c.Why, Gist: Text(c.Why), Since: orZero(c.CallAt), Href: c.Href, Todo: "call", TodoLevel: "stop"})
	}
	return out, nil
}

// urgency is the order of what waits: red flags, then what is urgent, then the rest; and in each of them first what was
// signed and did not go out.
func (m MessageRow) urgency() (n int) {
	switch {
	case m.RedFlag:
		n = 4
	case m.Priority == Priorities[urgent]:
		n = 2
	}
	if m.Unsent {
		n++
	}
	return n
}

// counted adds how many wait in all, and since when.
func (t *tx) counted(ctx context.Context, w *Worklist, reviews, own bool) error {
	n, err := t.WorklistCount(ctx, t.worklistCountParams(reviews, own))
	w.Waiting, w.Oldest = int(n.Waiting), n.Oldest
	return err
}

func (t *tx) worklistCountParams(reviews, own bool) db.WorklistCountParams {
	return db.WorklistCountParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, Reviews: reviews, Own: own, Calls: own && calls(t.actor.Role), At: t.at}
}

// ReviewList is the worklist of signatures only.
func (c *Clinic) ReviewList(ctx context.Context, a Actor, after string) (Worklist, error) {
	return list(ctx, c, a, ReviewList, Subject{Kind: "worklist"}, func(t *tx, w *Worklist) (err error) {
		if *w, err = t.worklist(ctx, []string{"in_review"}, false, after); err != nil {
			return err
		}
		return t.counted(ctx, w, true, false)
	})
}

// WorklistCount is the number in the navigation. It is asked with every page and leaves no trace.
func (c *Clinic) WorklistCount(ctx context.Context, a Actor) (int, error) {
	return worklistCount(ctx, db.New(c.pool), a, c.now().UTC())
}

func worklistCount(ctx context.Context, q *db.Queries, a Actor, at time.Time) (int, error) {
	reviews, own := waiting(a.Role)
	if !own {
		return 0, nil
	}
	n, err := q.WorklistCount(ctx, db.WorklistCountParams{ClinicID: a.ClinicID, StaffID: a.ID, Reviews: reviews, Own: own, Calls: calls(a.Role), At: at})
	return int(n.Waiting), err
}

func (t *tx) worklistParams(statuses []string, mine bool, at cursor) db.WorklistParams {
	return db.WorklistParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, Statuses: statuses, Mine: mine,
		AfterRank: at.P, AfterDue: at.D, AfterID: at.I, RowLimit: worklistPage + 1}
}

func (t *tx) worklist(ctx context.Context, statuses []string, mine bool, after string) (Worklist, error) {
	var w Worklist
	rows, err := t.Queries.Worklist(ctx, t.worklistParams(statuses, mine, cursorOf(after, fromTheFirst)))
	if err != nil {
		return w, err
	}
	if len(rows) > worklistPage {
		rows = rows[:worklistPage]
		last := rows[len(rows)-1]
		w.Next = cursor{P: last.Rank, D: last.DueAt, I: last.ID}.String()
	}
	for _, r := range rows {
		b := t.c.chest(r.PatientID, r.Wrapped)
		m := t.row(b, r.PatientID, r.NameSealed, r.BriefID, r.BodySealed)
		if _, err := b.row(&m.Patient); err != nil {
			return w, err
		}
		m.ID, m.PatientID, m.Status, m.Priority, m.RedFlag = r.ID, r.PatientID, r.Status, Priorities[r.Priority], r.RedFlag
		m.Kind, m.Channel, m.Open, m.Doctor, m.Author = r.Kind, r.Channel, int(r.OpenFindings), r.DoctorName, r.AuthorName
		m.Drafting = r.Status != "in_review" && (r.RequestState == "requested" || r.RequestState == "writing" || r.RequestState == "checking")
		m.DraftFailed = r.Status == "drafting" && r.RequestState == "failed"
		m.DueAt, m.Since, m.Late = r.DueAt, r.CreatedAt, r.DueAt.Before(t.at)
		if m.Unsent = r.UnsentCode != ""; m.Unsent {
			m.DeliveryWords, m.Since = unsentWords(r.UnsentCode), r.UpdatedAt
		}
		m.todo(t.actor)
		w.Rows = append(w.Rows, m)
	}
	return w, nil
}

func (t *tx) row(b *chest, patient uuid.UUID, name seal.Sealed, brief uuid.UUID, body seal.Sealed) MessageRow {
	var bb briefBody
	m := MessageRow{Patient: b.open(name, "patients", "name", patient)}
	b.openJSON(body, "briefs", "body", brief, &bb)
	m.Gist = gist(bb.Inquiry)
	return m
}

// gist is the first words of the inquiry, at most 120 characters, cut at a word.
func gist(s string) Text {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120])
		if i := strings.LastIndexByte(s, ' '); i > 60 {
			s = s[:i]
		}
		s += " …"
	}
	return Text(s)
}

// troubled are approved messages whose notice did not arrive, or is not known to have been sent.
func (t *tx) troubled(ctx context.Context) ([]MessageRow, error) {
	rows, err := t.WorklistTroubled(ctx, db.WorklistTroubledParams{ClinicID: t.clinicID(), StaffID: t.actor.ID})
	if err != nil {
		return nil, err
	}
	var out []MessageRow
	for _, r := range rows {
		b := t.c.chest(r.PatientID, r.Wrapped)
		m := t.row(b, r.PatientID, r.NameSealed, r.BriefID, r.BodySealed)
		if _, err := b.row(&m.Patient); err != nil {
			return nil, err
		}
		m.ID, m.PatientID, m.Status, m.Priority, m.RedFlag = r.ID, r.PatientID, r.Status, Priorities[r.Priority], r.RedFlag
		m.Kind, m.Channel, m.Doctor, m.Author = r.Kind, r.Channel, r.DoctorName, r.AuthorName
		m.Delivery, m.DeliveryWords = r.DeliveryState, deliveryWords(r.DeliveryState, r.ErrorClass)
		m.Gist, m.DueAt, m.Since = Text(m.DeliveryWords), r.DueAt, r.UpdatedAt
		m.todo(t.actor)
		out = append(out, m)
	}
	return out, nil
}

// messagesOf lists a patient's messages, newest first.
func (t *tx) messagesOf(ctx context.Context, p Patient) ([]MessageRow, error) {
	rows, err := t.MessagesOfPatient(ctx, db.MessagesOfPatientParams{ClinicID: t.clinicID(), PatientID: p.ID, At: t.at})
	if err != nil {
		return nil, err
	}
	wrapped, err := t.PatientKeyGet(ctx, db.PatientKeyGetParams{PatientID: p.ID, ClinicID: t.clinicID()})
	if err != nil {
		return nil, err
	}
	b := t.c.chest(p.ID, wrapped)
	var out []MessageRow
	for _, r := range rows {
		var body briefBody
		b.openJSON(r.BodySealed, "briefs", "body", r.BriefID, &body)
		m := MessageRow{ID: r.ID, PatientID: r.PatientID, Patient: p.Name, Gist: gist(body.Inquiry), Status: r.Status, Priority: Priorities[r.Priority],
			RedFlag: r.RedFlag, Kind: r.Kind, Channel: r.Channel, Open: int(r.OpenFindings), Doctor: r.DoctorName, Author: r.AuthorName,
			Delivery: r.DeliveryState, DeliveryWords: deliveryWords(r.DeliveryState, r.ErrorClass), DueAt: r.DueAt, Since: r.CreatedAt,
			Unread: r.Unread && slices.Contains(handedOver, r.DeliveryState)}
		m.todo(t.actor)
		out = append(out, m)
	}
	return out, b.err
}

// todo says in two or three words what the row waits for, and where a click leads.
func (m *MessageRow) todo(a Actor) {
	id := m.ID.String()
	m.Href = "/drafts/" + id
	set := func(words, level string) { m.Todo, m.TodoLevel = words, level }
	switch {
	case deliveryLevel(m.Delivery) == "stop":
		m.Href = "/messages/" + id
		set(map[string]string{"unknown": "not known", "needs_person": "decide"}[m.Delivery], "stop")
		if m.Todo == "" {
			set("not delivered", "stop")
		}
	case m.Status == "approved", m.Status == "withdrawn":
		m.Href = "/messages/" + id
		set(map[string]string{"queued": "going out", "sending": "going out", "accepted": "on its way", "in_transit": "on its way", "sent": "on its way",
			"delivered": "delivered", "opened": "opened", "acknowledged": "read and confirmed"}[m.Delivery], deliveryLevel(m.Delivery))
		if m.Unread {
			set("unread", "ask")
		}
		if m.Status == "withdrawn" {
			set("withdrawn", "")
		}
	case m.Status == "in_review" && a.Can(ReviewApprove):
		m.Href = "/reviews/" + id
		m.reviewTodo()
	case m.Status == "in_review":
		m.Href = "/messages/" + id
		set("in review", "live")
	case m.Drafting:
		set("drafting …", "live")
	case m.DraftFailed:
		set("no draft", "stop")
	case m.Status == "returned":
		set("returned", "ask")
	case m.Status == "drafting":
		set("to draft", "")
	default:
		set("to submit", "good")
		if m.Open > 0 {
			set(countWords(m.Open), "ask")
		}
	}
}

func (m *MessageRow) reviewTodo() {
	switch {
	case m.RedFlag:
		m.Todo, m.TodoLevel = "call first", "stop"
	case m.Unsent:
		m.Todo, m.TodoLevel = "not sent, sign again", "stop"
	case m.Open > 0:
		m.Todo, m.TodoLevel = countWords(m.Open), "ask"
	default:
		m.Todo, m.TodoLevel = "all checks pass", "good"
	}
}

func countWords(n int) string {
	if n == 1 {
		return "1 to answer"
	}
	return strconv.Itoa(n) + " to answer"
}
