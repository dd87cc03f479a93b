package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/seal"
)

// gather collects the evidence once everything is at rest. What needs a person is still looked up and may move even
// then, so the screens are looked at again until nothing moved between them and the rows.
func (s *stage) gather(ctx context.Context, l *load, rest Rest) (e *Evidence, err error) {
	conn, err := pgx.Connect(ctx, s.superuser())
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for range 20 {
		before, err := countMoving(ctx, conn)
		if err != nil {
			return nil, err
		}
		if e, err = s.once(ctx, conn, l, rest); err != nil {
			return nil, err
		}
		if after, err := countMoving(ctx, conn); err != nil || after.moves == before.moves {
			break
		}
	}
	e.Ledger = s.verify(ctx)
	e.Planted = l.scene.planted(e.Accepted)
	e.Sinks, err = s.sinks(ctx, conn, e.Planted, e.Accepted)
	return e, err
}

func (s *stage) once(ctx context.Context, conn *pgx.Conn, l *load, rest Rest) (*Evidence, error) {
	e := &Evidence{Rest: rest, Times: s.o.Times}
	if _, err := s.outside.catchUp(ctx); err != nil {
		return nil, err
	}
	e.Accepted, e.Told = s.outside.all()
	l.memory.with(func(m *Memory) { e.Memory = *m })
	keys, err := seal.OpenKeyring(s.keyset)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, read := range []func(context.Context, pgx.Tx) error{e.readMessages, e.readFollowUps, e.readPaths, e.readEvents} {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		return e.readDeliveries(ctx, tx, keys, l.contacts())
	})
	if err != nil {
		return nil, err
	}
	e.Screens, err = l.look(ctx, e)
	return e, err
}

// all reads rows into structs, column by column.
func all[T any](ctx context.Context, tx pgx.Tx, scan func(pgx.CollectableRow) (T, error), sql string) ([]T, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func (e *Evidence) readMessages(ctx context.Context, tx pgx.Tx) (err error) {
	e.Messages, err = all(ctx, tx, func(r pgx.CollectableRow) (m Message, err error) {
		return m, r.Scan(&m.ID, &m.ClinicID, &m.Status, &m.Kind, &m.Version, &m.Signer, &m.Role, &m.Submitter, &m.PageHash, &m.Opened)
	}, `SELECT m.id, m.clinic_id, m.status, m.kind, m.version, coalesce(m.signer_id, '00000000-0000-0000-0000-000000000000'), coalesce(m.signer_role, ''),
			coalesce((SELECT r.submitted_by FROM reviews r WHERE r.message_id = m.id AND r.clinic_id = m.clinic_id ORDER BY r.round DESC LIMIT 1), m.author_id),
			coalesce(p.token_hash, ''), p.opened_at IS NOT NULL
		FROM messages m LEFT JOIN pages p ON p.message_id = m.id AND p.clinic_id = m.clinic_id`)
	if err != nil {
		return err
	}
	e.Signatures, err = all(ctx, tx, func(r pgx.CollectableRow) (s Signature, err error) {
		return s, r.Scan(&s.MessageID, &s.Deed, &s.Actor, &s.Role, &s.Committed, &s.Tx)
	}, `SELECT subject_id, deed, coalesce(actor_id, '00000000-0000-0000-0000-000000000000'), role, pg_xact_commit_timestamp(xmin), xmin FROM audit_events
		WHERE subject_kind = 'message' AND outcome = 'done' AND deed IN ('review.approve', 'message.undo', 'message.withdraw')`)
	return err
}

func (e *Evidence) readFollowUps(ctx context.Context, tx pgx.Tx) error {
	e.FollowUps = map[uuid.UUID]FollowUp{}
	_, err := all(ctx, tx, func(r pgx.CollectableRow) (f FollowUp, err error) {
		var message uuid.UUID
		err = r.Scan(&message, &f.Called)
		e.FollowUps[message] = f
		return f, err
	}, `SELECT message_id, call_at IS NOT NULL OR ended_at IS NOT NULL FROM follow_ups`)
	return err
}

func (e *Evidence) readPaths(ctx context.Context, tx pgx.Tx) (err error) {
	e.Steps, err = all(ctx, tx, func(r pgx.CollectableRow) (s Step, err error) {
		return s, r.Scan(&s.DeliveryID, &s.Rev, &s.From, &s.To, &s.Deed, &s.ActorKind, &s.At, &s.Committed, &s.Tx)
	}, `SELECT subject_id, rev, coalesce(detail->>'from', ''), coalesce(detail->>'to', ''), deed, actor_kind, at, pg_xact_commit_timestamp(xmin), xmin
		FROM audit_events WHERE subject_kind = 'delivery' AND rev IS NOT NULL AND outcome = 'done' ORDER BY subject_id, rev, at`)
	if err != nil {
		return err
	}
	e.Attempts, err = all(ctx, tx, func(r pgx.CollectableRow) (a Attempt, err error) {
		return a, r.Scan(&a.DeliveryID, &a.N, &a.Started, &a.Finished, &a.Outcome)
	}, `SELECT delivery_id, attempt, started_at, finished_at, outcome FROM delivery_attempts ORDER BY delivery_id, attempt`)
	return err
}

func (e *Evidence) readEvents(ctx context.Context, tx pgx.Tx) (err error) {
	e.Events, err = all(ctx, tx, func(r pgx.CollectableRow) (v Event, err error) {
		return v, r.Scan(&v.Provider, &v.Key, &v.DeliveryID, &v.State, &v.Received)
	}, `SELECT provider, event_key, delivery_id, state, received_at FROM delivery_events`)
	if err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM audit_events`).Scan(&e.AuditRows); err != nil {
		return err
	}
	// What is done is done to something. A refusal may be about what never was.
	e.Orphans, err = all(ctx, tx, func(r pgx.CollectableRow) (o Orphan, err error) {
		return o, r.Scan(&o.Deed, &o.Kind, &o.Subject)
	}, `SELECT a.deed, a.subject_kind, a.subject_id FROM audit_events a WHERE a.outcome = 'done' AND a.subject_id IS NOT NULL AND NOT CASE a.subject_kind
			WHEN 'delivery' THEN EXISTS (SELECT 1 FROM deliveries x WHERE x.id = a.subject_id)
			WHEN 'message' THEN EXISTS (SELECT 1 FROM messages x WHERE x.id = a.subject_id)
			WHEN 'page' THEN EXISTS (SELECT 1 FROM pages x WHERE x.id = a.subject_id)
			WHEN 'patient' THEN EXISTS (SELECT 1 FROM patients x WHERE x.id = a.subject_id)
			WHEN 'session' THEN EXISTS (SELECT 1 FROM sessions x WHERE x.id = a.subject_id)
			WHEN 'staff' THEN EXISTS (SELECT 1 FROM staff x WHERE x.id = a.subject_id)
			WHEN 'settings' THEN EXISTS (SELECT 1 FROM staff x WHERE x.id = a.subject_id)
			WHEN 'clinic' THEN EXISTS (SELECT 1 FROM clinics x WHERE x.id = a.subject_id)
			WHEN 'draft_request' THEN EXISTS (SELECT 1 FROM draft_requests x WHERE x.id = a.subject_id)
			WHEN 'alert' THEN EXISTS (SELECT 1 FROM alerts x WHERE x.id = a.subject_id)
			WHEN 'access' THEN EXISTS (SELECT 1 FROM access_reviews x WHERE x.id = a.subject_id)
			WHEN 'backup' THEN EXISTS (SELECT 1 FROM backups x WHERE x.id = a.subject_id)
			WHEN 'glass' THEN EXISTS (SELECT 1 FROM glass x WHERE x.id = a.subject_id)
			ELSE false END`)
	return err
}

func (e *Evidence) readDeliveries(ctx context.Context, tx pgx.Tx, keys *seal.Keyring, contacts map[string]string) (err error) {
	e.Deliveries, err = all(ctx, tx, func(r pgx.CollectableRow) (d Delivery, err error) {
		var to, body seal.Sealed
		var wrapped []byte
		var patient uuid.UUID
		if err := r.Scan(&d.ID, &d.ClinicID, &d.MessageID, &d.Version, &d.Kind, &d.Round, &d.Channel, &d.State, &d.Attempt, &d.Rev, &d.Provider, &d.ProviderID, &d.Code,
			&d.Resends, &d.MarkedSent, &to, &body, &wrapped, &patient); err != nil {
			return d, err
		}
		d.Contact = contacts[patient.String()+"/"+d.Channel]
		key, err := keys.Unwrap(patient, wrapped)
		if err != nil {
			return d, err
		}
		for column, into := range map[string]*string{"recipient": &d.Recipient, "body": &d.Body} {
			sealed := to
			if column == "body" {
				sealed = body
			}
			text, err := key.Open(sealed, seal.Place{Table: "deliveries", Column: column, Row: d.ID})
			if err != nil {
				return d, fmt.Errorf("delivery %s: its %s does not open: %w", d.ID, column, err)
			}
			*into = text.Reveal()
		}
		return d, nil
	}, `SELECT d.id, d.clinic_id, coalesce(d.message_id, '00000000-0000-0000-0000-000000000000'), coalesce(d.message_version, 0), d.kind, d.round, d.channel, d.state,
			d.attempt, d.rev, d.provider, d.provider_id, d.error_class, d.resends, d.marked_sent_by IS NOT NULL, d.recipient_sealed, d.body_sealed, k.wrapped, d.patient_id
		FROM deliveries d JOIN patient_keys k ON k.patient_id = d.patient_id AND k.clinic_id = d.clinic_id`)
	return err
}

// contacts are the addresses that the run itself gave its patients, by patient and channel.
func (l *load) contacts() map[string]string {
	out := map[string]string{}
	for _, h := range l.scene.houses {
		for _, p := range h.patients {
			out[p.id.String()+"/email"], out[p.id.String()+"/sms"] = p.email, p.phone
		}
	}
	return out
}

var (
	messageLink = regexp.MustCompile(`href="/messages/([0-9a-f-]{36})"`)
	gaugeLine   = regexp.MustCompile(`(?m)^countersign_deliveries\{state="([a-z_]+)"\} (\d+)`)
)

// look reads the screens as the doctors see them, over HTTP, and the alarm's figures of every worker. What does not
// stand on the worklist, whose first page holds the fifty most urgent, is looked for on the page of its message.
func (l *load) look(ctx context.Context, e *Evidence) (Screens, error) {
	s := Screens{Worklist: map[uuid.UUID]bool{}, Pages: map[uuid.UUID]bool{}}
	eyes := map[uuid.UUID]*person{}
	for _, h := range l.scene.houses {
		eyes[h.id] = newPerson(l.stage.balancer.address, l.public)
		if err := eyes[h.id].signIn(ctx, l.stage.outside.address, h.doctorAs); err != nil { // a session of before may have ended by now
			return s, err
		}
		body, err := eyes[h.id].read(ctx, "/")
		if err != nil {
			return s, fmt.Errorf("a worklist: %w", err)
		}
		for _, m := range messageLink.FindAllStringSubmatch(body, -1) {
			s.Worklist[uuid.MustParse(m[1])] = true
		}
	}
	for _, d := range e.Deliveries {
		if !troubled(d.State) || s.Worklist[d.MessageID] {
			continue
		}
		body, err := eyes[d.ClinicID].read(ctx, "/messages/"+d.MessageID.String())
		if err != nil {
			return s, fmt.Errorf("a message's page: %w", err)
		}
		s.Pages[d.ID] = regexp.MustCompile(`data-state="` + d.State + `"`).MatchString(body)
	}
	for _, w := range l.stage.workers {
		text, err := fetchMetrics(ctx, w.address)
		if err != nil {
			return s, fmt.Errorf("%s: %w", w.name, err)
		}
		gauge := map[string]int{}
		for _, m := range gaugeLine.FindAllStringSubmatch(text, -1) {
			gauge[m[1]], _ = strconv.Atoi(m[2])
		}
		s.Gauges = append(s.Gauges, gauge)
	}
	return s, nil
}

// fetchMetrics asks a worker for its figures, as a Prometheus would.
func fetchMetrics(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/metrics", nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+metricsToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("its figures answer %s", response.Status)
	}
	return string(text), err
}
