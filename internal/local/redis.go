package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// startRedis starts a private Redis on a free loopback port and returns its address, password included. The address names the
// user, because redis-cli would log in with an empty name otherwise.
func startRedis(ctx context.Context, r *Runner, durability Durability) (string, *Server, error) {
	program := findRedis()
	if program == "" {
		return "", nil, errors.New("no Redis found, not even after installing it")
	}
	password, err := r.home.Secret("redis.password")
	if err != nil {
		return "", nil, err
	}
	dir, err := r.home.Private("redis")
	if err != nil {
		return "", nil, err
	}
	for attempt := 1; ; attempt++ {
		port, err := durability.port()
		if err != nil {
			return "", nil, err
		}
		settings := r.home.Path("redis.conf")
		if err := r.home.WritePrivate(settings, redisSettings(dir, port, password, durability)); err != nil {
			return "", nil, err
		}
		server := &Server{runner: r, data: dir, launch: func(ctx context.Context) (*Process, error) {
			return launchRedis(ctx, r, program, settings, port, password)
		}}
		err = server.Start(ctx)
		if died := (Died{}); errors.As(err, &died) && attempt < 3 && ctx.Err() == nil {
			continue // its port may have been lost to another program
		}
		if err != nil {
			return "", nil, fmt.Errorf("%w\n%s", err, tailOf(r.home.Path("redis.log")))
		}
		return fmt.Sprintf("redis://default:%s@127.0.0.1:%s/0", password, port), server, nil
	}
}

func redisSettings(dir, port, password string, durability Durability) string {
	appendonly, databases := "yes", 16
	if durability == Throwaway {
		appendonly, databases = "no", 1024 // room for a database per test
	}
	return fmt.Sprintf("bind 127.0.0.1\nport %s\nrequirepass %s\ndir %q\ndatabases %d\nappendonly %s\nappendfsync everysec\n"+
		"maxmemory-policy noeviction\nsave \"\"\ndaemonize no\nlogfile \"\"\n", port, password, dir, databases, appendonly)
}

func launchRedis(ctx context.Context, r *Runner, program, settings, port, password string) (*Process, error) {
	log, err := r.log("redis.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p, err := r.Start(Spec{Name: "redis", Args: []string{program, settings}, Dir: r.home.Dir, Env: serverEnvironment(),
		Owner: r.home.Owner, Output: log, StopBy: 8 * time.Second})
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, 30*time.Second, func(ctx context.Context) error { return askRedis(ctx, "127.0.0.1:"+port, password, "PING", "+PONG") })
	if err != nil {
		r.forget(p)
		p.stop(time.Now().Add(2 * time.Second))
	}
	return p, err
}

// askRedis gives one command in Redis's own inline words; while it still reads its data it says so, and that is an error.
func askRedis(ctx context.Context, address, password, command, answer string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\n%s\r\n", password, command); err != nil {
		return err
	}
	reader := bufio.NewReader(conn)
	for _, want := range []string{"+OK", answer} {
		got, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimSpace(got) != want {
			return fmt.Errorf("redis says %q", strings.TrimSpace(got))
		}
	}
	return nil
}

// checkRedis makes sure that somebody listens at an address which the person gave.
func checkRedis(ctx context.Context, variable, address string) error {
	parsed, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%s is not an address", variable) // the parser's own words would repeat the password
	}
	if parsed.Scheme != "redis" && parsed.Scheme != "rediss" {
		return nil
	}
	port := parsed.Port()
	if port == "" {
		port = "6379"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(parsed.Hostname(), port))
	if err != nil {
		return fmt.Errorf("%s is set, but its Redis does not answer: %w", variable, err)
	}
	return conn.Close()
}
