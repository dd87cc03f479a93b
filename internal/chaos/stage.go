package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"countersign/internal/ledger"
	"countersign/internal/local"
	"countersign/internal/seal"
)

// upWithin is how long a program may take until it answers, on a machine that is busy with something else too.
const upWithin = time.Minute

func newStage(o Options) (*stage, error) {
	paper, out := newPaper(o.Out)
	l, err := local.New(o.Dir, o.Environ, out)
	if err != nil {
		return nil, err
	}
	if err := paper.openIn(filepath.Join(l.State(), "chaos"), fmt.Sprintf("seed-%d-%s", o.Seed, time.Now().UTC().Format("20060102-150405"))); err != nil {
		return nil, err
	}
	s := &stage{o: o, local: l, paper: paper, unasked: &unasked{}, faults: &faults{done: map[string]int{}}, env: map[string]string{}}
	paper.line(fmt.Sprintf("chaos for %s with seed %d: %d workers, %d webs, %d approvals a second aimed at", o.For, o.Seed, o.Workers, o.Webs, o.Rate))
	paper.line("times: " + o.Times.String())
	if s.activity() {
		paper.line("SendGrid can be asked what it took, as with the paid extra")
	} else {
		paper.line("SendGrid cannot be asked what it took")
	}
	if o.Break != "" {
		paper.line("seeded fault: " + o.Break + ", " + Breaks[o.Break].Words)
	}
	return s, nil
}

// raise starts everything, from the servers to the last worker.
func (s *stage) raise(ctx context.Context) (err error) {
	var builds [][]string
	if s.o.Build {
		builds = s.builds()
	}
	if s.cluster, err = s.local.StartCluster(ctx, s.unasked.note, builds...); err != nil {
		return err
	}
	if s.keyset, err = seal.NewKeyset(); err != nil {
		return err
	}
	ledgerKey, err := ledger.NewKey(true)
	if err != nil {
		return err
	}
	if s.balancer, err = newBalancer(); err != nil {
		return err
	}
	s.env = map[string]string{"APP_ENV": "local", "HOST": "localhost", "BASE_URL": s.balancer.address, "DATABASE_URL": s.cluster.Databases.App,
		"MIGRATE_DATABASE_URL": s.cluster.Databases.Owner, "REDIS_URL": s.cluster.RedisAddress, "KEYSET": s.keyset, "LEDGER_KEY": ledgerKey, "METRICS_TOKEN": metricsToken,
		"LOG_LEVEL": "info", "SHUTDOWN_TIMEOUT": "5s", "BLOB_URL": "file://" + s.paper.file("blob"), "SENDGRID_ACTIVITY": fmt.Sprint(s.activity()),
		"LIMIT_ADDRESS": "1000000", "LIMIT_PERSON": "1000000", "LIMIT_SIGN_IN": "1000000", "LIMIT_UNVERIFIED": "1000000"} // a clinic's month in a minute
	s.o.Times.into(s.env)
	if s.o.Break != "" {
		s.env["FAULTPOINTS"] = "seed=" + s.o.Break
	}
	if err := s.cluster.Run(ctx, s.spec("migrate", "countersign", s.settings(), "migrate")); err != nil {
		return err
	}
	if err := s.removeGuards(ctx); err != nil {
		return err
	}
	if err := s.startSandbox(ctx); err != nil {
		return err
	}
	return s.startPrograms(ctx)
}

// activity says whether the account has SendGrid's Email Activity API: every other seed, because both are to hold.
func (s *stage) activity() bool { return s.o.Seed%2 == 0 }

const metricsToken = "a-token-for-chaos-only"

// builds are the go builds that a run needs: the programs, and those with faults seeded into them.
func (s *stage) builds() [][]string {
	plain := []string{"-o", "bin/", "./cmd/web", "./cmd/worker", "./cmd/countersign"}
	if s.o.Break == "" {
		return [][]string{plain}
	}
	return [][]string{plain, {"-tags", "faultpoints", "-o", "bin/faulty/", "./cmd/web", "./cmd/worker"}}
}

// spec is a child that runs one of our programs. Its words go into a file of the evidence.
func (s *stage) spec(name, binary string, env []string, args ...string) local.Spec {
	folder := s.o.Bin
	if folder == "" {
		folder = filepath.Join(s.local.Root(), "bin")
	}
	if s.o.Break != "" && binary != "countersign" {
		folder = filepath.Join(folder, "faulty")
	}
	return local.Spec{Name: name, Args: append([]string{filepath.Join(folder, binary)}, args...), Env: env, Dir: s.local.Root(),
		Output: s.paper.stream(name), StopBy: 3 * time.Second}
}

func (s *stage) startSandbox(ctx context.Context) error {
	port, err := local.LowPort()
	if err != nil {
		return err
	}
	s.outside = newOutside("http://localhost:" + port)
	spec := s.spec("sandbox", "countersign", s.settings("SANDBOX_PORT="+port, "SANDBOX_DIR="+s.paper.file("sandbox")), "sandbox")
	spec.StopBy = 4 * time.Second
	if _, err := s.cluster.Start(ctx, spec, upWithin, answering(s.outside.address+"/healthz")); err != nil {
		return err
	}
	settings, err := s.outside.settings(ctx)
	for _, one := range settings {
		s.env[one.Name] = one.Value
	}
	return err
}

func (s *stage) startPrograms(ctx context.Context) error {
	var ports []string
	for range s.o.Webs + s.o.Workers {
		port, err := local.LowPort()
		if err != nil {
			return err
		}
		ports = append(ports, port)
	}
	for i := range s.o.Webs {
		name := fmt.Sprintf("web-%d", i+1)
		s.webs = append(s.webs, &program{stage: s, name: name, address: "http://127.0.0.1:" + ports[i],
			spec: s.spec(name, "web", s.settings("PORT="+ports[i]))})
		s.balancer.add("127.0.0.1:" + ports[i])
	}
	for i := range s.o.Workers {
		port, name := ports[s.o.Webs+i], fmt.Sprintf("worker-%d", i+1)
		s.workers = append(s.workers, &program{stage: s, name: name, address: "http://127.0.0.1:" + port,
			spec: s.spec(name, "worker", s.settings("WORKER_PORT="+port))})
	}
	var all sync.WaitGroup
	errs := make([]error, len(ports))
	for i, p := range s.programs() {
		all.Go(func() { errs[i] = p.start(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *stage) programs() []*program { return append(append([]*program{}, s.webs...), s.workers...) }

// close ends all that was started. The evidence stays when something was wrong.
func (s *stage) close(wrong bool) {
	if s.balancer != nil {
		s.balancer.close()
	}
	if s.cluster != nil {
		if wrong || s.o.Keep {
			for _, name := range []string{"postgres.log", "redis.log"} {
				if text, err := os.ReadFile(filepath.Join(s.cluster.Dir, name)); err == nil {
					_ = os.WriteFile(s.paper.file(name), text, 0o600)
				}
			}
		}
		s.cluster.Stop()
	}
	s.paper.close(wrong || s.o.Keep)
}

// program is a web or worker process that comes back after each death, as a platform would have it.
type program struct {
	stage   *stage
	name    string
	address string
	spec    local.Spec

	busy    sync.Mutex // held while something is being done to it
	process *local.Process
	frozen  bool
}

// start starts the process and waits until it answers at all: it need not be ready, for its servers may be away.
func (p *program) start(ctx context.Context) (err error) {
	p.process, err = p.stage.cluster.Start(ctx, p.spec, upWithin, answering(p.address+"/healthz"))
	return err
}

func (p *program) kill() {
	if p.process != nil {
		p.stage.cluster.Kill(p.process)
		p.process, p.frozen = nil, false
	}
}

func (p *program) freeze() { p.stage.cluster.Freeze(p.process); p.frozen = true }
func (p *program) thaw()   { p.stage.cluster.Thaw(p.process); p.frozen = false }

// unasked collects the children that ended although nobody killed them.
type unasked struct {
	mu    sync.Mutex
	words []string
}

func (u *unasked) note(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.words = append(u.words, err.Error())
}

func (u *unasked) list() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.words...)
}

// answering is a probe that is content with any answer of the address that is not an error of its own.
func answering(address string) func(context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
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
		return nil
	}
}
