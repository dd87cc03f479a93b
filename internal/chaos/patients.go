package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// link finds the patient's page in a notice.
var link = regexp.MustCompile(`https?://[^\s/]+(/m/[A-Za-z0-9_-]+)`)

// readers is how many patients look at their page at the same time.
const readers = 6

// patients reads what the providers took, as phones and mailboxes would, and has a third of the patients open their
// page, some of them after a wrong date.
func (l *load) patients(ctx context.Context) {
	notices := make(chan Accepted, 1000)
	for range readers {
		l.people.Go(func() { l.read(ctx, notices) })
	}
	for pause(ctx, 300*time.Millisecond) {
		fresh, err := l.stage.outside.catchUp(ctx)
		if err != nil && ctx.Err() == nil {
			l.stage.unasked.note(fmt.Errorf("the sandbox cannot be read: %w", err))
		}
		for _, a := range fresh {
			if rand.IntN(3) > 0 {
				continue
			}
			select {
			case notices <- a:
			default: // nobody has the time
			}
		}
	}
}

func (l *load) read(ctx context.Context, notices <-chan Accepted) {
	for {
		select {
		case a := <-notices:
			l.open(ctx, a)
		case <-ctx.Done():
			return
		}
	}
}

// open is one patient with their notice: the form, the date of birth, the letter, and often the button under it.
func (l *load) open(ctx context.Context, a Accepted) {
	at, who := link.FindStringSubmatch(a.Body), l.recipient(a.Recipient)
	if at == nil || who == nil {
		l.memory.with(func(m *Memory) { m.Wrong = append(m.Wrong, "a notice without a link, or for nobody: "+a.Delivery) })
		return
	}
	p, page := newPerson(l.stage.balancer.address, l.public), at[1]
	if rand.IntN(100) == 0 {
		_, _, _ = p.press(ctx, page, birth(who.birth.AddDate(0, 0, 1)))
	}
	status, to, err := p.press(ctx, page, birth(who.birth))
	if err != nil || status != http.StatusSeeOther || to != page+"/read" {
		return
	}
	status, body, err := p.see(ctx, page+"/read")
	if err != nil || status != http.StatusOK {
		return // withdrawn, or not reached
	}
	l.memory.with(func(m *Memory) {
		m.Opened = append(m.Opened, a.Delivery)
		if !strings.Contains(body, "Dear "+who.name) || !strings.Contains(body, "The clinic is open from Monday to Friday.") {
			m.Wrong = append(m.Wrong, "a page that is not the patient's letter: "+a.Delivery)
		}
	})
	if rand.IntN(2) == 0 {
		_, _, _ = p.press(ctx, page+"/acknowledge", nil)
	}
}

// recipient finds the patient who is reached at an address.
func (l *load) recipient(address string) *patient {
	for _, h := range l.scene.houses {
		for _, p := range h.patients {
			if p.email == address || p.phone == address {
				return p
			}
		}
	}
	return nil
}

func birth(day time.Time) url.Values {
	return url.Values{"day": {strconv.Itoa(day.Day())}, "month": {strconv.Itoa(int(day.Month()))}, "year": {strconv.Itoa(day.Year())}}
}
