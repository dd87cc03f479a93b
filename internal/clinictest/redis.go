package clinictest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Redis claims a numbered database of the test Redis for this test alone, emptied, and returns its address. Claims are
// kept in database 0 and end by themselves after twenty minutes. Published names cross databases, as Redis has it.
func Redis(t testing.TB) string {
	t.Helper()
	address := os.Getenv("TEST_REDIS_URL")
	if address == "" {
		t.Fatal("TEST_REDIS_URL is not set: run the tests with make test, which starts a Redis for them")
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal("TEST_REDIS_URL cannot be read")
	}
	ctx := context.Background()
	options.DB = 0
	desk := redis.NewClient(options)
	t.Cleanup(func() { _ = desk.Close() })
	most := databases(t, desk)
	mine := uuid.NewString()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		for n := 1; n < most; n++ {
			claim := fmt.Sprintf("countersign-test-database:%d", n)
			won, err := desk.SetNX(ctx, claim, mine, 20*time.Minute).Result()
			if err != nil {
				t.Fatalf("the test Redis: %v", err)
			}
			if won {
				return claimed(t, desk, address, claim, n)
			}
		}
	}
	t.Fatal("no free database in the test Redis for two minutes")
	return ""
}

func databases(t testing.TB, desk *redis.Client) int {
	t.Helper()
	most := 16
	if answer, err := desk.ConfigGet(context.Background(), "databases").Result(); err == nil {
		_, _ = fmt.Sscan(answer["databases"], &most)
	}
	return most
}

func claimed(t testing.TB, desk *redis.Client, address, claim string, n int) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("TEST_REDIS_URL cannot be read")
	}
	u.Path = fmt.Sprintf("/%d", n)
	options := *desk.Options()
	options.DB = n
	own := redis.NewClient(&options)
	if err := own.FlushDB(context.Background()).Err(); err != nil {
		t.Fatalf("the test Redis: %v", err)
	}
	t.Cleanup(func() {
		_ = own.FlushDB(context.Background()).Err()
		_ = own.Close()
		_ = desk.Del(context.Background(), claim).Err()
	})
	return u.String()
}
