package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// run is one «local run»: what it knows so far, filled in from top to bottom.
type run struct {
	*Local
	runner      *Runner
	home        *Home
	procfile    Procfile
	env         *Environment
	port        string
	sandboxPort string
	sandbox     string // its address
}

// Run brings the whole product up on this machine and returns the exit code when it has been stopped: 0 if that was asked for
// after it stood, by ending ctx with [Interrupted]. Stopping takes at most ten seconds.
func (l *Local) Run(ctx context.Context) (code int) { return l.exitCode(l.run(ctx)) }

func (l *Local) run(parent context.Context) (err error) {
	s := &run{Local: l, env: l.env.Clone()}
	if s.procfile, err = ReadProcfile(filepath.Join(l.root, "Procfile")); err != nil {
		return err
	}
	if s.home, err = OpenHome(filepath.Join(l.state, "run")); err != nil {
		return err
	}
	defer s.home.Close()
	if err := s.home.Recover(l.console); err != nil {
		return err
	}
	if err := s.choosePorts(); err != nil {
		return err
	}
	ctx, runner := l.open(parent, s.home)
	s.runner = runner
	defer func() {
		err = l.announce(err)
		runner.Stop()
	}()
	for _, step := range []func(context.Context) error{s.prepare, s.startSandbox, s.makeSecrets, s.release, s.start} {
		if err := step(ctx); err != nil {
			return reason(ctx, err)
		}
	}
	l.console.Block(s.summary())
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.As(cause, new(Interrupted)) {
		return cause
	}
	return nil
}

// choosePorts also settles the public address, which the sandbox's callbacks and all links use.
func (s *run) choosePorts() (err error) {
	if s.port, err = chosenPort(s.env, "PORT", "8080"); err != nil {
		return err
	}
	if s.sandboxPort, err = chosenPort(s.env, "SANDBOX_PORT", "8090"); err != nil {
		return err
	}
	if s.port == s.sandboxPort {
		return fmt.Errorf("port %s cannot serve both; set PORT=… or SANDBOX_PORT=… to another one", s.port)
	}
	s.sandbox = "http://localhost:" + s.sandboxPort
	s.env.Fill("APP_ENV", "local")
	s.env.Fill("HOST", "localhost")
	s.env.Fill("PORT", s.port)
	s.env.Fill("BASE_URL", "http://localhost:"+s.port)
	return nil
}

// prepare has the servers installed and started while the product is being built.
func (s *run) prepare(ctx context.Context) error {
	needs := Needs{Postgres: !s.env.Has("DATABASE_URL"), Redis: !s.env.Has("REDIS_URL")}
	if needs.Postgres && s.env.Has("MIGRATE_DATABASE_URL") {
		return errors.New("MIGRATE_DATABASE_URL is set, but DATABASE_URL is not; set both, or neither for a private Postgres")
	}
	if given := s.env.Get("DATABASE_URL"); given != "" {
		if err := checkDatabase(ctx, "DATABASE_URL", given, false); err != nil {
			return err
		}
	}
	if given := s.env.Get("REDIS_URL"); given != "" {
		if err := checkRedis(ctx, "REDIS_URL", given); err != nil {
			return err
		}
	}
	plan, err := planInstallation(ctx, s.console, needs)
	if err != nil {
		return err
	}
	var servers Servers
	err = together(ctx, func(ctx context.Context) (err error) {
		servers, err = s.provision(ctx, s.runner, plan, needs, Kept)
		return err
	}, func(ctx context.Context) error {
		return s.build(ctx, s.runner, "-o", "bin/", "./cmd/web", "./cmd/worker", "./cmd/countersign")
	})
	if err != nil {
		return err
	}
	if needs.Postgres {
		s.env.Fill("DATABASE_URL", servers.Databases.App)
		s.env.Fill("MIGRATE_DATABASE_URL", servers.Databases.Owner)
	}
	if needs.Redis {
		s.env.Fill("REDIS_URL", servers.Redis)
	}
	return nil
}

// startSandbox starts the stand-in providers and takes over what they say about themselves.
func (s *run) startSandbox(ctx context.Context) error {
	dir := s.home.Path("sandbox")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	env := s.env.Clone()
	env.Fill("SANDBOX_DIR", dir)
	env.Fill("SANDBOX_PORT", s.sandboxPort)
	spec := s.spec("sandbox", []string{filepath.Join(s.root, "bin", "countersign"), "sandbox"}, 7200*time.Millisecond)
	spec.Env = env.List()
	p, err := s.runner.Start(spec)
	if err != nil {
		return err
	}
	if err := p.await(ctx, time.Minute, answers("http://127.0.0.1:"+s.sandboxPort+"/healthz", nil)); err != nil {
		return err
	}
	way, err := signIn(s.env)
	if err != nil {
		return err
	}
	return answers("http://127.0.0.1:"+s.sandboxPort+"/settings.env?sign-in="+way, func(body io.Reader) error {
		settings, err := ParseSettings(body)
		s.env.FillProvider(settings)
		return err
	})(ctx)
}

// signIn is which of its two sign-in services the sandbox is to play for the product. People sign in one way only, so a
// service that the person brought decides.
func signIn(env *Environment) (string, error) {
	way := env.Get("SIGN_IN")
	switch {
	case way != "" && way != "access" && way != "oidc":
		return "", fmt.Errorf("SIGN_IN is access (unless set) or oidc, not %q", way)
	case way == "oidc" || env.Has("OIDC_ISSUER"):
		return "oidc", nil
	}
	return "access", nil
}

// makeSecrets makes the secrets of this machine once. They stay with the data, which cannot be read without them.
func (s *run) makeSecrets(ctx context.Context) error {
	if err := s.home.MarkDatabase(s.env.Has("DATABASE_URL")); err != nil {
		return err
	}
	token, err := s.home.Secret("metrics.token")
	if err != nil {
		return err
	}
	s.env.Fill("METRICS_TOKEN", token)
	for name, key := range map[string]struct {
		path string
		make []string
	}{"KEYSET": {s.home.Keyset(), []string{"keys", "new", "--local"}}, "LEDGER_KEY": {s.home.LedgerKey(), []string{"audit", "key", "--local"}}} {
		if err := s.makeKey(ctx, name, key.path, key.make...); err != nil {
			return err
		}
	}
	s.env.Fill("BLOB_URL", s.home.Blob(s.personsDatabase()))
	return os.WriteFile(s.home.Path("env"), []byte(s.env.Filled()), 0o600)
}

// personsDatabase is the address of the person's own database, or nothing.
func (s *run) personsDatabase() string {
	if !s.env.Has("DATABASE_URL") {
		return ""
	}
	return s.env.Get("DATABASE_URL") + s.env.Get("DATABASE_URL_FILE")
}

// release runs the Procfile's release line, as a platform does before it starts a new version, and fills the demo clinic.
func (s *run) release(ctx context.Context) error {
	line, err := s.procfile.Line("release")
	if err != nil {
		return err
	}
	if err := s.runner.MustFinish(ctx, s.spec("release", shell(line), 0)); err != nil {
		return err
	}
	return s.runner.MustFinish(ctx, s.spec("seed", []string{filepath.Join(s.root, "bin", "countersign"), "seed"}, 0))
}

// start starts the Procfile's processes. They stop first: web takes no new work, then the worker hands back what it cannot end.
func (s *run) start(ctx context.Context) error {
	services := []struct {
		name   string
		stopBy time.Duration
		ready  func(context.Context) error
	}{
		{"worker", 6500 * time.Millisecond, func(context.Context) error { return nil }},
		{"web", 3 * time.Second, answers("http://127.0.0.1:"+s.port+"/readyz", nil)},
	}
	for _, service := range services {
		line, err := s.procfile.Line(service.name)
		if err != nil {
			return err
		}
		p, err := s.runner.Start(s.spec(service.name, shell(line), service.stopBy))
		if err != nil {
			return err
		}
		s.console.Say("waiting for %s", service.name)
		if err := p.await(ctx, time.Minute, service.ready); err != nil {
			return err
		}
	}
	return nil
}

// spec is a child of the product: in the checkout, with all that has been filled in, and its words on the console.
func (s *run) spec(name string, args []string, stopBy time.Duration) Spec {
	return Spec{Name: name, Args: args, Env: s.env.List(), Dir: s.root, Output: s.console.Writer(name), StopBy: stopBy}
}

// answers makes a probe that is content when the address answers 200, and when read, if given, takes the body.
func answers(address string, read func(io.Reader) error) func(context.Context) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", address, response.Status)
		}
		if read == nil {
			return nil
		}
		return read(response.Body)
	}
}
