// Command local runs Countersign on one machine, or a command beside throwaway servers. See internal/local for how.
//
// It is small on purpose: it compiles in seconds, so that servers can be installed and started while the product is compiled.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"countersign/internal/local"
)

const usage = `usage: local COMMAND

  run                          the product: servers, build, migrations, demo clinic, sandbox, web and worker
  exec [-build ARGS] [-durable] -- CMD…
                               CMD beside throwaway servers (TEST_DATABASE_URL, TEST_REDIS_URL, CHROMIUM, PGBOUNCER);
                               with -build, «go build ARGS» runs while they are prepared;
                               with -durable the servers write as safely as real ones, for measuring
  build ARGS…                  go build, with progress shown
  reset                        forget the data, keys and logs of «run»
`

// bounce is how long a repeated signal counts as the same one. make passes on what a terminal has already sent to everybody.
const bounce = 700 * time.Millisecond

func main() { os.Exit(command(os.Args[1:])) }

func command(args []string) int {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var out io.Writer = os.Stdout
	if name == "exec" { // standard output belongs to the command
		out = os.Stderr
	}
	flags := flag.NewFlagSet("local "+name, flag.ContinueOnError)
	build, durability := "", local.Throwaway
	if name == "exec" {
		flags.StringVar(&build, "build", "", "arguments of a go build that runs meanwhile")
		flags.BoolFunc("durable", "servers that write as safely as real ones", func(string) error { durability = local.Kept; return nil })
	}
	parsed := args
	if name == "build" { // whose options are go's
		parsed = append([]string{"--"}, args...)
	}
	if err := flags.Parse(parsed); err != nil {
		return 2
	}
	l, err := local.New(".", os.Environ(), out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		return 1
	}
	ctx := stoppable(l)
	switch {
	case name == "run" && flags.NArg() == 0:
		return l.Run(ctx)
	case name == "exec" && flags.NArg() > 0:
		return l.Exec(ctx, build, durability, flags.Args())
	case name == "build" && flags.NArg() > 0:
		return l.Build(ctx, args)
	case name == "reset" && flags.NArg() == 0:
		return l.Reset()
	}
	fmt.Fprint(os.Stderr, usage)
	return 2
}

// stoppable returns a context that the first signal ends. A later one kills all children and leaves.
func stoppable(l *local.Local) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	// Caught and dropped, so that a reader of our output who goes away does not end us before we have stopped our children.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup means it
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		first := (<-signals).(syscall.Signal)
		at := time.Now()
		cancel(local.Interrupted{Signal: first})
		for again := range signals {
			if time.Since(at) > bounce {
				l.Kill()
				os.Exit(local.Interrupted{Signal: again.(syscall.Signal)}.ExitCode())
			}
		}
	}()
	return ctx
}
