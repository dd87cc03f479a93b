// Command worker relays what is due to the queue, sends notices and has drafts written.
//
// It reads its settings from the environment, opens the house, works until SIGTERM or SIGINT, lets the tasks under way
// finish, and closes.
// Exit code 2 means that a setting is wrong, 1 that it could not work.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"countersign/internal/app"
	"countersign/internal/config"
)

func main() { os.Exit(run()) }

func run() int {
	collectLess()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // every complaint, a line each
		return 2
	}
	a, err := app.Open(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 2
	}
	if err := a.Worker(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		_ = a.Close()
		return 1
	}
	if err := a.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "worker: close:", err)
		return 1
	}
	return 0
}

// collectLess lets garbage grow to four times what lives before it is collected, unless GOGC has been set: little lives in a worker and
// much is thrown away, so some 30 MB spare a tenth of its processor time.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
