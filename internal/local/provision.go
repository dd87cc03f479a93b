package local

import (
	"context"
	"errors"
	"sync"
)

// Servers are the addresses that a command works with. Those that the person gave are not repeated here.
type Servers struct {
	Databases Databases
	Redis     string
	Browser   string
	Pooler    string

	postgres, redis *Server // those that we started
}

// provision brings what is missing and starts the servers that are needed.
func (l *Local) provision(ctx context.Context, r *Runner, plan *Installation, needs Needs, durability Durability) (Servers, error) {
	if plan != nil {
		if err := plan.Run(ctx); err != nil {
			return Servers{}, err
		}
	}
	var servers Servers
	err := together(ctx, func(ctx context.Context) (err error) {
		if needs.Postgres {
			servers.Databases, servers.postgres, err = startPostgres(ctx, r, durability)
		}
		return err
	}, func(ctx context.Context) (err error) {
		if needs.Redis {
			servers.Redis, servers.redis, err = startRedis(ctx, r, durability)
		}
		return err
	})
	if err != nil {
		return Servers{}, err
	}
	if needs.Postgres || needs.Redis {
		l.console.Say("private servers are up, on free ports of 127.0.0.1; logs and data in %s", r.home.Dir)
	}
	if needs.Browser {
		if servers.Browser = findBrowser(); servers.Browser == "" {
			return Servers{}, errors.New("no browser found, not even after installing one; set CHROMIUM to its path")
		}
	}
	if needs.Pooler {
		if servers.Pooler = findPooler(); servers.Pooler == "" {
			return Servers{}, errors.New("no PgBouncer found, not even after installing it; set PGBOUNCER to its path")
		}
	}
	return servers, nil
}

// together runs the jobs at the same time. The first to fail ends the context of the others; all have ended when it returns.
func together(parent context.Context, jobs ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, job := range jobs {
		all.Go(func() {
			if err := job(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
