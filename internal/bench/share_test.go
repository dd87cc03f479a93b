package bench

import (
	"fmt"
	"time"
)

// slowAnswer is how long the provider takes in this measure, and tasks how many each worker has under way.
const (
	slowAnswer = 200 * time.Millisecond
	tasks      = 4
)

// sharing measures one, two and four workers against a provider that takes its time: two and four do nearly twice and
// four times the work of one, and send nothing twice.
func (s *stage) sharing() []row {
	s.faults(fmt.Sprintf(`{"sendgrid":[%[1]s,{"kind":"slow","ms":%[2]d,"probability":1}],"twilio":[%[1]s,{"kind":"slow","ms":%[2]d,"probability":1}]}`,
		noReports, slowAnswer.Milliseconds()))
	defer s.quietProvider()
	settings := map[string]string{"WORKER_CONCURRENCY": fmt.Sprint(tasks), "DATABASE_MAX_CONNS": "8"}
	most := float64(tasks) / slowAnswer.Seconds()
	rate := map[int]float64{}
	var rows []row
	for _, workers := range []int{1, 2, 4} {
		n := workers * int(8*most)
		c := s.crew(workers, settings)
		rate[workers] = c.send(n).rate()
		c.stop()
		what := fmt.Sprintf("%d workers of %d tasks, provider answers in %s, %d rows", workers, tasks, slowAnswer, n)
		switch workers {
		case 1:
			rows = append(rows, row{what: "1" + what[1:], figure: perSecond(rate[1]), beside: "at most " + perSecond(most), ratio: fmt.Sprintf("%.2f", rate[1]/most),
				goal: "at most 1", met: rate[1] <= most*1.01})
		case 2:
			rows = append(rows, against(what, rate[2], "one worker", rate[1], 1.8))
		case 4:
			rows = append(rows, against(what, rate[4], "one worker", rate[1], 3.2))
		}
	}
	return rows
}
