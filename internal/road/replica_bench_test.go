package road

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// What a list costs its reader and the primary, read there and on a replica, in turn: a request's session, list and event. Both
// servers are on this machine, so that the network costs nothing; "asked" is how many questions of ours the primary answers.
func BenchmarkReplica(b *testing.B) {
	m := mirrored(b)
	for i := range 200 {
		m.patient(fmt.Sprintf("Ada Winter%c%c", 'a'+i%26, 'a'+i/26), "1950-01-02", fmt.Sprint(77000+i), fmt.Sprintf("ada%d@mail.example", i), "")
	}
	m.stopWeb()
	m.stopWork()
	there, here := m.process(m.there.App), m.process("")
	for name, show := range map[string]func(*process, clinic.Actor) error{
		"patients": func(p *process, a clinic.Actor) error {
			_, err := p.PatientList(context.Background(), a, "")
			return err
		},
		"worklist": func(p *process, a clinic.Actor) error {
			_, err := p.WorklistShow(context.Background(), a, "")
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			there.warm()
			took, asked := map[*process][]time.Duration{}, map[*process]int{}
			arrive := map[*process]func() clinic.Actor{there: there.arrives("amara-osei"), here: here.arrives("amara-osei")}
			before := there.count("replica")
			b.ResetTimer()
			for range b.N {
				for _, p := range []*process{there, here} {
					p.seen.take()
					began := time.Now()
					must(b, show(p, arrive[p]()))
					took[p] = append(took[p], time.Since(began))
					primary, _ := p.seen.take()
					asked[p] += len(primary)
				}
			}
			middle := func(p *process) float64 {
				slices.Sort(took[p])
				return float64(took[p][len(took[p])/2].Microseconds()) / 1000
			}
			b.ReportMetric(middle(here), "ms-primary")
			b.ReportMetric(middle(there), "ms-replica")
			b.ReportMetric(middle(there)/middle(here), "ratio")
			b.ReportMetric(float64(asked[here])/float64(b.N), "asked-primary")
			b.ReportMetric(float64(asked[there])/float64(b.N), "asked-replica")
			b.ReportMetric(100*float64(there.count("replica")-before)/float64(b.N), "%-on-replica")
		})
	}
}
