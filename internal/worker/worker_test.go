package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// An approved message leaves once, by the nudge or by the relay, however often it is enqueued.
func TestDeliverySend(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"email", "sms"} {
		t.Run(channel, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start(t)
			id := w.Approved(t, w.Patient, channel)
			eventually(t, "the notice is accepted", func() bool { return w.state(t, id, "accepted") })
			queue := NewQueue(w.redis)
			var delivery uuid.UUID
			for n := range 5 { // told again and again to look at a row that is done
				delivery = w.delivery(t, id)
				if err := queue.Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: delivery, Dispatch: 100 + n/2}); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the queue is empty", func() bool { return w.waiting(t, deliverQueue) == 0 })
			if n := w.sent(t); n != 1 {
				t.Errorf("%d notices went out", n)
			}
		})
	}
}

func (w *world) delivery(t *testing.T, message uuid.UUID) uuid.UUID {
	t.Helper()
	var hi, lo int64 // Count answers with numbers only
	hi = int64(w.Count(t, "SELECT ('x' || substr(replace(id::text, '-', ''), 1, 16))::bit(64)::bigint FROM deliveries WHERE message_id = $1", message))
	lo = int64(w.Count(t, "SELECT ('x' || substr(replace(id::text, '-', ''), 17, 16))::bit(64)::bigint FROM deliveries WHERE message_id = $1", message))
	var id uuid.UUID
	for i := range 8 {
		id[i], id[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
	}
	return id
}

func (w *world) waiting(t *testing.T, queue string) int {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(w.redis).GetQueueInfo(queue)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Pending + info.Active + info.Scheduled + info.Retry
}

// Redis forgets everything between the hand-over and the work: the relay hands the row over again, and it goes once.
func TestRedisForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.Approved(t, w.Patient, "email")
	if w.waiting(t, deliverQueue) != 1 {
		t.Fatal("the approval did not nudge the queue")
	}
	if err := w.redis.FlushDB(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	eventually(t, "the notice is accepted", func() bool { return w.state(t, id, "accepted") })
	if n := w.sent(t); n != 1 {
		t.Errorf("%d notices went out", n)
	}
}

// A provider that takes the notice and lies about it: the delivery is unknown and stays so; it is never sent again.
func TestUnknownIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(t, `{"sendgrid":[{"kind":"reset-after-headers","probability":1}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "email")
	eventually(t, "the delivery is unknown", func() bool { return w.state(t, id, "unknown") })
	w.faults(t, `{"sendgrid":[]}`)
	looks := time.Now().Add(3 * reenqueue)
	eventually(t, "the relay has looked again and again", func() bool { return time.Now().After(looks) })
	if n := w.sent(t); n != 1 || !w.state(t, id, "unknown") {
		t.Errorf("%d notices went out", n)
	}
}

// What was certainly not sent is tried again by Postgres; the task itself ends well and is not on the queue any more.
func TestNotSentIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(t, `{"twilio":[{"kind":"429","probability":1,"retry_after":60}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "sms")
	eventually(t, "the attempt is recorded", func() bool {
		return w.Count(t, `SELECT count(*) FROM deliveries WHERE message_id = $1 AND state = 'queued' AND attempt = 1 AND error_class = '20429'
			AND next_attempt_at > now() + interval '50 s'`, id) == 1
	})
	eventually(t, "the queue is empty", func() bool { return w.waiting(t, deliverQueue) == 0 })
}

// A draft is written, checked and kept with its cost, and nothing of it is in Redis.
func TestDraftWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log bytes.Buffer
	w.config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	stop := w.start(t)
	ctx := context.Background()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Clinic.DraftRequest(ctx, w.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the draft is ready", func() bool { return w.Show(t, w.Staff, id).Message.Status == "draft_ready" })
	stop()
	w.logTellsTheRequest(t, log.String(), id)
	if v := w.Show(t, w.Staff, id); !strings.Contains(v.Text.Reveal(), "Delgado") || strings.Contains(v.Text.Reveal(), "[[") {
		t.Error("the names are not back in the draft")
	}
	if w.Count(t, "SELECT count(*) FROM draft_requests WHERE message_id = $1 AND state = 'ready' AND prompt_tokens > 0 AND completion_tokens > 0 AND cost_microusd > 0", id) != 1 {
		t.Error("the cost was not kept")
	}
	w.redisHoldsNothingOf(t, "Delgado", "losartan", "1967", "20441", "cough")
}

// logTellsTheRequest: the line of an attempt names the draft request, under a key that the log does not redact.
func (w *world) logTellsTheRequest(t *testing.T, log string, message uuid.UUID) {
	t.Helper()
	_, rest, _ := strings.Cut(log, `"draft_request":"`)
	name, _, _ := strings.Cut(rest, `"`)
	request, err := uuid.Parse(name)
	if err != nil || w.Count(t, "SELECT count(*) FROM draft_requests WHERE id = $1 AND message_id = $2", request, message) != 1 {
		t.Errorf("the log does not name the draft request:\n%s", log)
	}
}

// A worker that is asked to stop in the middle of a draft gives it back at once, with what it cost, and the next one
// writes it.
func TestStopInMidDraft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(t, `{"openai":[{"kind":"slow","probability":1,"ms":15000}]}`)
	stop := w.start(t)
	ctx := context.Background()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Clinic.DraftRequest(ctx, w.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the model is asked", func() bool {
		return w.Count(t, "SELECT count(*) FROM draft_requests WHERE message_id = $1 AND state = 'writing'", id) == 1
	})
	stop()
	if w.Count(t, "SELECT count(*) FROM draft_requests WHERE message_id = $1 AND state = 'requested' AND error_class = 'stopped' AND prompt_tokens > 0", id) != 1 {
		t.Error("the request was not given back")
	}
	w.faults(t, `{"openai":[]}`)
	w.start(t)
	eventually(t, "the draft is ready", func() bool { return w.Show(t, w.Staff, id).Message.Status == "draft_ready" })
}

// A model that is away: the request is tried again by Postgres, and fails in words after the third time.
func TestDraftWriteWhenTheModelIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(t, `{"openai":[{"kind":"401","probability":1}]}`)
	w.start(t)
	ctx := context.Background()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Clinic.DraftRequest(ctx, w.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request has failed", func() bool {
		return w.Count(t, "SELECT count(*) FROM draft_requests WHERE message_id = $1 AND state = 'failed' AND error_class = 'http_401'", id) == 1
	})
}

func (w *world) redisHoldsNothingOf(t *testing.T, words ...string) {
	t.Helper()
	ctx := context.Background()
	keys, err := w.redis.Keys(ctx, "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%v: %d keys", err, len(keys))
	}
	for _, key := range keys {
		dump := key
		for _, read := range []func() ([]string, error){
			func() ([]string, error) { s, err := w.redis.Get(ctx, key).Result(); return []string{s}, err },
			w.redis.HVals(ctx, key).Result,
			w.redis.LRange(ctx, key, 0, -1).Result,
			w.redis.ZRange(ctx, key, 0, -1).Result,
			w.redis.SMembers(ctx, key).Result,
		} {
			if values, err := read(); err == nil {
				dump += "\n" + strings.Join(values, "\n")
			}
		}
		for _, word := range words {
			if strings.Contains(dump, word) {
				t.Errorf("%s holds %q", key, word)
			}
		}
	}
}
