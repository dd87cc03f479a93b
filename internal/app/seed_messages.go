package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// demoMessage is a row of demo/messages.json. State is how far it is taken: drafting, draft_ready, in_review, returned,
// approved or withdrawn.
type demoMessage struct {
	Key      string            `json:"key"`
	MRN      string            `json:"mrn"`
	Author   string            `json:"author"`
	Doctor   string            `json:"doctor"`
	State    string            `json:"state"`
	Priority string            `json:"priority"`
	Kind     string            `json:"kind"`
	Channel  string            `json:"channel"`
	Inquiry  string            `json:"inquiry"`
	Points   []string          `json:"points"`
	Facts    []clinic.FactForm `json:"facts"`
	Text     string            `json:"text"`
	Note     string            `json:"note"`
}

func (s *seeding) messages(ctx context.Context) (int, error) {
	var rows []demoMessage
	if err := readDemo("demo/messages.json", &rows); err != nil {
		return 0, err
	}
	for _, m := range rows {
		if err := s.message(ctx, m); err != nil {
			return 0, fmt.Errorf("message %s: %w", m.Key, sayable(err))
		}
	}
	return len(rows), nil
}

// steps are the ways from one state to the next, each by the person whose work it is.
var steps = map[string][]string{
	"drafting":    {},
	"draft_ready": {"write"},
	"in_review":   {"write", "submit"},
	"returned":    {"write", "submit", "return"},
	"approved":    {"write", "submit", "approve"},
	"withdrawn":   {"write", "submit", "approve", "withdraw"},
}

// after says how many of the steps a message has behind it.
var after = map[string]int{"drafting": 0, "draft_ready": 1, "in_review": 2, "returned": 3, "approved": 3, "withdrawn": 4}

// message writes one brief and takes it to its state. One that an earlier run left on the way goes on from there.
func (s *seeding) message(ctx context.Context, m demoMessage) error {
	author, doctor := s.people[m.Author], s.people[m.Doctor]
	id, err := s.clinic.BriefCreate(ctx, author, clinic.BriefForm{ID: demoID("message " + m.Key), PatientID: demoID("patient " + m.MRN), DoctorID: doctor.ID,
		Inquiry: m.Inquiry, Points: m.Points, Facts: m.Facts, Priority: m.Priority, Kind: m.Kind, Channel: m.Channel})
	if err != nil {
		return err
	}
	now, err := s.clinic.DraftShow(ctx, author, id)
	if err != nil {
		return err
	}
	way := steps[m.State]
	for _, step := range way[min(after[now.Message.Status], len(way)):] {
		if err := s.step(ctx, step, id, m, author, doctor); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeding) step(ctx context.Context, step string, id uuid.UUID, m demoMessage, author, doctor clinic.Actor) error {
	reader := author
	if slices.Contains([]string{"return", "approve", "withdraw"}, step) {
		reader = doctor
	}
	v, err := s.clinic.DraftShow(ctx, reader, id)
	if err != nil {
		return err
	}
	switch step {
	case "write":
		return s.write(ctx, author, id, m.Text)
	case "submit":
		return s.clinic.ReviewSubmit(ctx, author, id, v.Message.Version)
	case "return":
		return s.clinic.ReviewReturn(ctx, doctor, id, v.Message.Version, m.Note)
	case "withdraw":
		return s.clinic.MessageWithdraw(ctx, doctor, id, v.Message.Version)
	}
	return s.approve(ctx, doctor, id, v)
}

// write is a draft by hand: no model is asked.
func (s *seeding) write(ctx context.Context, author clinic.Actor, id uuid.UUID, text string) error {
	if err := s.clinic.DraftByHand(ctx, author, id); err != nil {
		return err
	}
	v, err := s.clinic.DraftShow(ctx, author, id)
	if err != nil {
		return err
	}
	_, err = s.clinic.DraftEdit(ctx, author, id, v.Message.Version, text)
	return err
}

// approve answers what the checks ask and signs.
func (s *seeding) approve(ctx context.Context, doctor clinic.Actor, id uuid.UUID, v clinic.DraftView) error {
	for _, f := range v.Findings {
		if f.Level != "ask" || f.Answered {
			continue
		}
		if err := s.clinic.FindingAnswer(ctx, doctor, id, f.Key); err != nil {
			return err
		}
	}
	v, err := s.clinic.DraftShow(ctx, doctor, id)
	if err != nil {
		return err
	}
	return s.clinic.ReviewApprove(ctx, doctor, id, v.Message.Version, nil)
}
