package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisMaker makes a client of our Redis, for whoever closes it.
type redisMaker func() *redis.Client

// MakeRedisClient is what asynq's parts call that want connections of their own.
func (c redisMaker) MakeRedisClient() any { return c() }

// redisClients reads the address: of a server, or, with master_name, of the sentinels that know which server it is at the
// moment. It asks nobody.
func redisClients(address string) (redisMaker, error) {
	u, err := url.Parse(address)
	if err == nil && u.Query().Has("master_name") {
		options, err := sentinelOptions(address)
		return func() *redis.Client { return redis.NewFailoverClient(options) }, err
	}
	options, err := redisOptions(address)
	return func() *redis.Client { return redis.NewClient(options) }, err
}

const (
	redisDial, redisTalk = 2 * time.Second, 3 * time.Second
	errRedis             = "REDIS_URL is not an address that Redis understands"
)

// redisOptions reads the address. Its errors never quote it: it may hold a password.
func redisOptions(address string) (*redis.Options, error) {
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New(errRedis)
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisDial, redisTalk, redisTalk
	o.ContextTimeoutEnabled = true // a nudge must not outlast its 300 ms
	o.MaxRetries = 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// sentinelOptions is redisOptions for sentinels. Nothing is read from a replica: a task that is not there yet would be lost.
func sentinelOptions(address string) (*redis.FailoverOptions, error) {
	o, err := redis.ParseFailoverURL(address)
	if err != nil || o.MasterName == "" || o.ReplicaOnly || o.RouteByLatency || o.RouteRandomly {
		return nil, errors.New(errRedis)
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisDial, redisTalk, redisTalk
	o.ContextTimeoutEnabled = true
	o.MaxRetries = 1
	return o, nil
}

// redisLog passes the client's own words on: while Redis is away it has many, and they say nothing new.
type redisLog struct{ log *slog.Logger }

// Printf is what the client calls.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...), "from", "redis")
}
