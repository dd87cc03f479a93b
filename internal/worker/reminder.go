package worker

import (
	"context"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/faultpoint"
)

// How many unread messages one look takes, in one transaction, and how many looks one run. What is over waits for the next run.
const (
	unreadBatch = 100
	unreadLooks = 20
)

// remind makes the reminders and the call tasks that it is time for. Of any number of workers one leads each look.
func (w *Worker) remind(ctx context.Context) error {
	if faultpoint.Seeded(faultpoint.SeedRelay) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var all clinic.Reminded
	for range unreadLooks {
		done, err := w.cfg.Clinic.ReminderMake(ctx, clinic.WorkerActor(clinic.JobRemindersName), unreadBatch)
		all.Made, all.Calls = all.Made+done.Made, all.Calls+done.Calls
		if err != nil {
			return err
		}
		if done.Looked < unreadBatch {
			break
		}
	}
	if all.Made+all.Calls > 0 {
		w.cfg.Log.InfoContext(ctx, "unread messages", "reminders", all.Made, "calls", all.Calls)
	}
	return nil
}
