package clinic

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// DeliveryShows are the lists of the deliveries screen, in the order of their weight. Ended are those that a person stopped.
var DeliveryShows = []string{"trouble", "unknown", "way", "arrived", "ended"}

// DeliveryAges say how long ago a round was written.
var DeliveryAges = []string{"day", "week", "month", "older", "any"}

// DeliveryFilter is what the screen shows. What is not known is left at its default.
type DeliveryFilter struct {
	Show    string // one of DeliveryShows
	Channel string // email, sms, or all
	Code    string // an error class, or all
	Age     string // one of DeliveryAges
	After   string // where the next page begins
}

// known replaces what is no filter of ours. What has arrived grows without end, so it begins with the last week.
func (f DeliveryFilter) known() DeliveryFilter {
	if !slices.Contains(DeliveryShows, f.Show) {
		f.Show = DeliveryShows[0]
	}
	if f.Channel != "email" && f.Channel != "sms" {
		f.Channel = ""
	}
	f.Code = codeOf(f.Code)
	if !slices.Contains(DeliveryAges, f.Age) {
		f.Age = map[bool]string{true: "week", false: "any"}[f.Show == "arrived" || f.Show == "ended"]
	}
	return f
}

// Narrowed says whether the filter leaves out rows of its list.
func (f DeliveryFilter) Narrowed() bool { return f.Channel != "" || f.Code != "" || f.Age != "any" }

// written are the times between which the filter's rounds were written.
func (f DeliveryFilter) written(now time.Time) (since, until time.Time) {
	since, until = time.Unix(0, 0), now.AddDate(1, 0, 0)
	switch f.Age {
	case "day":
		since = now.Add(-24 * time.Hour)
	case "week":
		since = now.AddDate(0, 0, -7)
	case "month":
		since = now.AddDate(0, 0, -30)
	case "older":
		until = now.AddDate(0, 0, -7)
	}
	return since, until
}

// DeliveryRow is the last round of one message's notice.
type DeliveryRow struct {
	ID, MessageID       uuid.UUID
	Patient             Text
	Channel, Priority   string
	RedFlag             bool
	State, Level, Words string
	Round, Rev, Attempt int
	MarkedBy            string     // on whose word it counts as sent
	NextAt              *time.Time // when it goes out, or is tried again
	At, WrittenAt       time.Time
	CanSettle           bool
	CanResend           bool
	Unread              bool   // handed over, and not opened in its time
	Back                string // whose signature it waits for again
	Href                string
}

// CodeCount is a reason and how many rows of the list have it.
type CodeCount struct {
	Code, Words string
	N           int
}

// DeliveryPage is one page of the screen, with how many there are in the lists that want somebody.
type DeliveryPage struct {
	Filter DeliveryFilter
	Rows   []DeliveryRow
	Next   string
	Counts map[string]int
	Codes  []CodeCount
}

// DeliveryList shows the notices of the actor's care teams, urgent first, then the newest.
func (c *Clinic) DeliveryList(ctx context.Context, a Actor, f DeliveryFilter) (DeliveryPage, error) {
	return list(ctx, c, a, DeliveryList, Subject{Kind: "delivery"}, func(t *tx, page *DeliveryPage) error {
		page.Filter, page.Counts = f.known(), map[string]int{}
		rows, err := t.deliveries(ctx, page.Filter, deliveryPage+1)
		if err != nil {
			return err
		}
		if len(rows) > deliveryPage {
			rows = rows[:deliveryPage]
			last := rows[len(rows)-1]
			page.Next = cursor{P: last.Priority, D: last.CreatedAt, I: last.ID}.String()
		}
		for _, r := range rows {
			row, err := t.deliveryRow(r)
			if err != nil {
				return err
			}
			page.Rows = append(page.Rows, row)
		}
		return t.countDeliveries(ctx, page)
	})
}

// deliveries reads up to limit rows that the filter shows.
func (t *tx) deliveries(ctx context.Context, f DeliveryFilter, limit int) ([]db.DeliveryListRow, error) {
	at := cursorOf(f.After, fromTheFirst)
	outcomes := []string{f.Show}
	if f.Show == "ended" {
		outcomes = []string{"ended", "trouble"} // trouble with what was withdrawn is nobody's any more
	}
	since, until := f.written(t.at)
	return t.Queries.DeliveryList(ctx, db.DeliveryListParams{Outcomes: outcomes, StaffID: t.actor.ID, ClinicID: t.clinicID(), Live: f.Show == "trouble",
		At: t.at, Channel: f.Channel, Code: f.Code, Since: since, Until: until, AfterPriority: at.P, AfterAt: at.D, AfterID: at.I, RowLimit: int32(limit)})
}

func (t *tx) deliveryRow(r db.DeliveryListRow) (DeliveryRow, error) {
	b := t.c.chest(r.PatientID, r.Wrapped)
	row := DeliveryRow{ID: r.ID, MessageID: *r.MessageID, Patient: b.open(r.NameSealed, "patients", "name", r.PatientID), Channel: r.Channel,
		Priority: Priorities[r.Priority], RedFlag: r.RedFlag, State: r.State, Level: deliveryLevel(r.State), Words: deliveryWords(r.State, r.ErrorClass),
		Round: int(r.Round), Rev: int(r.Rev), Attempt: int(r.Attempt), MarkedBy: r.MarkedBy, At: r.UpdatedAt, WrittenAt: r.CreatedAt,
		Unread: r.Unread && slices.Contains(handedOver, r.State), Href: "/messages/" + r.MessageID.String()}
	if r.State == "queued" && r.NextAttemptAt.After(t.at) {
		row.NextAt = &r.NextAttemptAt
	}
	if r.MessageStatus == "in_review" && slices.Contains(retryable, r.State) {
		row.Back = r.DoctorName
	}
	row.CanSettle = r.State == "needs_person" && t.actor.Can(DeliveryMarkSent)
	row.CanResend = row.CanSettle && r.MessageStatus == "approved" && r.NotAfter.After(t.at) && t.actor.Can(DeliveryResend)
	_, err := b.row(&row.Patient)
	return row, err
}

// countDeliveries counts what wants somebody, and why, within the actor's care teams.
func (t *tx) countDeliveries(ctx context.Context, page *DeliveryPage) error {
	rows, err := t.DeliveryCounts(ctx, db.DeliveryCountsParams{StaffID: t.actor.ID, ClinicID: t.clinicID()})
	chosen := page.Filter.Code == ""
	for _, r := range rows {
		page.Counts[r.Outcome] += int(r.N)
		if r.Outcome == page.Filter.Show && r.ErrorClass != "" {
			page.Codes = append(page.Codes, CodeCount{Code: r.ErrorClass, Words: codeWords(r.ErrorClass), N: int(r.N)})
			chosen = chosen || r.ErrorClass == page.Filter.Code
		}
	}
	if !chosen { // nobody has it any more, and it still is what was asked for
		page.Codes = append(page.Codes, CodeCount{Code: page.Filter.Code, Words: codeWords(page.Filter.Code)})
	}
	return err
}
