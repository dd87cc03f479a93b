package clinic

import "context"

// QueueView notes that somebody looks at the queue board, which is not ours and shows ids only. The board's own polling
// is a live refresh of the same look.
func (c *Clinic) QueueView(ctx context.Context, a Actor) error {
	return c.do(ctx, a, QueueView, Subject{Kind: "queue"}, func(*tx) error { return nil })
}

// QueueOperate notes what somebody is about to do on the queue board: pause a queue, run, archive or delete a task. act
// is the method and the board's own address, at most 200 bytes of it.
func (c *Clinic) QueueOperate(ctx context.Context, a Actor, act string) error {
	return c.do(ctx, a, QueueOperate, Subject{Kind: "queue"}, func(t *tx) error {
		t.detail["act"] = tidy(act[:min(len(act), 200)])
		return nil
	})
}
