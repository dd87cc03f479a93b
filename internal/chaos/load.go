package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// doctorsEach is how many windows each clinic's doctor has open: several, because some of them wait for a process that
// is frozen.
const doctorsEach = 8

// load is the people of a run and what they remember.
type load struct {
	stage   *stage
	scene   *scene
	memory  *recall
	looking *pgxpool.Pool // the run's own eyes, as the database's owner
	letters map[*house]chan letter
	tokens  chan struct{}
	doctors map[*house][]*person
	staff   map[*house]*person
	public  http.RoundTripper
	people  sync.WaitGroup
}

// newLoad sets the scene and signs everybody in.
func newLoad(ctx context.Context, s *stage) (*load, error) {
	sc, err := newScene(ctx, s)
	if err != nil {
		return nil, err
	}
	looking, err := pgxpool.New(ctx, s.superuser())
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 10 * time.Second}
	l := &load{stage: s, scene: sc, memory: newRecall(), looking: looking, letters: map[*house]chan letter{}, tokens: make(chan struct{}, 2*s.o.Rate),
		doctors: map[*house][]*person{}, staff: map[*house]*person{}, public: transport}
	for _, h := range sc.houses {
		l.letters[h] = make(chan letter, 100)
		for i := range doctorsEach + 1 {
			p, subject := newPerson(s.balancer.address, transport), h.doctorAs
			if i == doctorsEach {
				l.staff[h], subject = p, h.staffAs
			} else {
				l.doctors[h] = append(l.doctors[h], p)
			}
			if err := p.signIn(ctx, s.outside.address, subject); err != nil {
				l.close()
				return nil, err
			}
		}
	}
	return l, nil
}

func (l *load) close() {
	l.scene.clinic.Close()
	l.looking.Close()
}

// start lets everybody act until ctx ends. The function it returns waits until the last of them has finished.
func (l *load) start(ctx context.Context) (wait func()) {
	go func() {
		every := time.NewTicker(time.Second / time.Duration(l.stage.o.Rate))
		defer every.Stop()
		for {
			select {
			case <-every.C:
				select {
				case l.tokens <- struct{}{}:
				default:
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	for _, h := range l.scene.houses {
		for range 2 {
			l.people.Go(func() { l.write(ctx, h) })
		}
		for _, doctor := range l.doctors[h] {
			l.people.Go(func() { l.sign(ctx, h, doctor) })
		}
		l.people.Go(func() { l.settleUnknown(ctx, h) })
	}
	l.people.Go(func() { l.patients(ctx) })
	l.people.Go(func() { l.tell(ctx) })
	return l.people.Wait
}

// write keeps the doctors' table full. What Postgres could not take is left behind as the draft that it is.
func (l *load) write(ctx context.Context, h *house) {
	for ctx.Err() == nil {
		writing, cancel := context.WithTimeout(ctx, patience)
		one, err := l.scene.write(writing, h)
		cancel()
		if err != nil {
			pause(ctx, 200*time.Millisecond)
			continue
		}
		select {
		case l.letters[h] <- one:
		case <-ctx.Done():
		}
	}
}

// sign is one window of the doctor: the next letter, at the pace of the run.
func (l *load) sign(ctx context.Context, h *house, doctor *person) {
	for {
		select {
		case <-l.tokens:
		case <-ctx.Done():
			return
		}
		select {
		case one := <-l.letters[h]:
			one.doctor = doctor
			l.approve(ctx, one)
		case <-ctx.Done():
			return
		}
	}
}

// approve signs a letter, as often as a person would try. Then some think again.
func (l *load) approve(ctx context.Context, one letter) {
	if !l.try(ctx, one.doctor, "approve", "/reviews/"+one.message.String()+"/approve", one.message, one.version, func(m *Memory, a Act) { m.Approved = append(m.Approved, a) }) {
		return
	}
	one.version++
	switch dice := rand.IntN(100); {
	case one.house.undo > 0 && dice < 20:
		l.people.Go(func() {
			if pause(ctx, time.Duration(rand.Int64N(int64(one.house.undo*5/4)))) && l.undo(ctx, one) && rand.IntN(3) > 0 {
				one.version++
				l.approve(ctx, one)
			}
		})
	case dice >= 96:
		l.people.Go(func() {
			if pause(ctx, time.Duration(rand.Int64N(int64(3*time.Second)))) {
				l.try(ctx, one.doctor, "withdraw", "/messages/"+one.message.String()+"/withdraw", one.message, one.version, func(m *Memory, a Act) { m.Withdrawn = append(m.Withdrawn, a) })
			}
		})
	}
}

func (l *load) undo(ctx context.Context, one letter) bool {
	return l.try(ctx, one.doctor, "undo", "/messages/"+one.message.String()+"/undo", one.message, one.version, func(m *Memory, a Act) { m.Undone = append(m.Undone, a) })
}

// tries is how often a person presses the same button before they give up.
const tries = 4

// try presses a button until there is an answer, and says whether it was done. An answer that leads on to a page says
// so; a refusal says that it was not, or not by this press: an earlier one, whose answer was lost, may have done it.
func (l *load) try(ctx context.Context, p *person, kind, path string, subject uuid.UUID, version int, keep func(*Memory, Act)) bool {
	form := url.Values{"version": {strconv.Itoa(version)}}
	for n := range tries {
		status, to, err := p.press(ctx, path, form)
		switch {
		case err == nil && status == http.StatusSeeOther && to != "/sign-in":
			l.memory.with(func(m *Memory) { keep(m, Act{Subject: subject, Version: version}) })
			return true
		case err == nil && status >= 400 && status < 500 && status != http.StatusTooManyRequests:
			l.memory.with(func(m *Memory) {
				if n == 0 {
					m.Refused[kind]++
				} else {
					m.Unknown[kind]++
				}
			})
			return false
		}
		if !pause(ctx, time.Duration(200*(n+1))*time.Millisecond) {
			break
		}
	}
	l.memory.with(func(m *Memory) { m.Unknown[kind]++ })
	return false
}

// settleUnknown is somebody of the staff who decides about notices of which nobody knows whether they were sent. They
// leave about a third of them.
func (l *load) settleUnknown(ctx context.Context, h *house) {
	for pause(ctx, time.Second) {
		rows, err := l.needsPerson(ctx, h)
		if err != nil {
			continue
		}
		for _, a := range rows {
			switch a.Subject[15] % 3 {
			case 0:
				l.try(ctx, l.staff[h], "send again", "/deliveries/"+a.Subject.String()+"/resend", a.Subject, a.Version, func(m *Memory, a Act) { m.Resent = append(m.Resent, a) })
			case 1:
				l.try(ctx, l.staff[h], "it was sent", "/deliveries/"+a.Subject.String()+"/mark-sent", a.Subject, a.Version, func(m *Memory, a Act) { m.MarkedSent = append(m.MarkedSent, a) })
			}
		}
	}
}

func (l *load) needsPerson(ctx context.Context, h *house) ([]Act, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	rows, err := l.looking.Query(ctx, `SELECT d.id, d.rev FROM deliveries d JOIN messages m ON m.id = d.message_id AND m.clinic_id = d.clinic_id AND m.status = 'approved'
		WHERE d.clinic_id = $1 AND d.state = 'needs_person' ORDER BY d.updated_at DESC LIMIT 20`, h.id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Act, err error) { return a, row.Scan(&a.Subject, &a.Version) })
}

// tell says every few seconds how it goes.
func (l *load) tell(ctx context.Context) {
	last, began := 0, time.Now()
	for pause(ctx, 5*time.Second) {
		var approved, opened, unknown int
		l.memory.with(func(m *Memory) { approved, opened, unknown = len(m.Approved), len(m.Opened), m.Unknown["approve"] })
		accepted, _ := l.stage.outside.all()
		l.stage.say("approved %d (%.0f/s; %d without an answer), taken by providers %d, pages read %d", approved,
			float64(approved-last)/time.Since(began).Seconds(), unknown, len(accepted), opened)
		last, began = approved, time.Now()
	}
}

// superuser is the way to the product's database past all of its guards: for looking, and for taking guards away.
func (s *stage) superuser() string {
	address, err := url.Parse(s.cluster.Databases.Superuser)
	if err != nil {
		return ""
	}
	address.Path = "/countersign"
	return address.String()
}
