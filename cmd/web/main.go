// Command web answers browsers and webhooks.
//
// It reads its settings from the environment, opens the house, serves until SIGTERM or SIGINT, drains and closes.
// Exit code 2 means that a setting is wrong, 1 that it could not serve.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"countersign/internal/app"
	"countersign/internal/config"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // every complaint, a line each
		return 2
	}
	a, err := app.Open(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		return 2
	}
	if err := a.Web(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		_ = a.Close()
		return 1
	}
	if err := a.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "web: close:", err)
		return 1
	}
	return 0
}
