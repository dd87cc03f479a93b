package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"countersign/internal/sandbox"
)

type sandboxCmd struct {
	Port    string `env:"SANDBOX_PORT" default:"8090" help:"Where it listens, on this machine only."`
	Dir     string `env:"SANDBOX_DIR" help:"Where it keeps its keys and what it was sent; a folder of the user's cache unless set."`
	BaseURL string `env:"BASE_URL" default:"http://localhost:8080" help:"The app's public address, for its webhooks."`
	Listen  string `env:"SANDBOX_LISTEN" default:"127.0.0.1" help:"The address it listens at."`
}

// Run serves until ctx ends, and then waits a moment for webhooks under way.
func (c sandboxCmd) Run(ctx context.Context) error {
	if os.Getenv("APP_ENV") == "production" || os.Getenv("APP_ENV") == "staging" {
		return errors.New("the sandbox plays the providers and signs anybody in; production and staging refuse it")
	}
	dir := c.Dir
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("SANDBOX_DIR is not set and there is no cache folder: %w", err)
		}
		dir = filepath.Join(cache, "countersign-sandbox")
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	s, err := sandbox.Open(sandbox.Options{BaseURL: c.BaseURL, PublicURL: "http://localhost:" + c.Port, Dir: dir, Log: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(c.Listen, c.Port))
	if err != nil {
		return fmt.Errorf("SANDBOX_PORT %s cannot be had: %w", c.Port, err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("sandbox is up", "address", "http://localhost:"+c.Port)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if errors.Is(server.Shutdown(wait), context.DeadlineExceeded) {
		_ = server.Close()
	}
	if err := s.Close(wait); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

type healthCmd struct {
	URL string `arg:"" optional:"" help:"Address to ask; http://127.0.0.1:PORT/readyz unless given."`
}

// Run is content with 200 within 3 s.
func (c healthCmd) Run(ctx context.Context) error {
	address := c.URL
	if address == "" {
		port := os.Getenv("PORT")
		if port == "" {
			port = "8080"
		}
		address = "http://127.0.0.1:" + port + "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("this is not an address: " + strings.TrimSpace(address))
	}
	response, err := http.DefaultTransport.RoundTrip(request) // no redirects: a redirect is not ready
	if err != nil {
		return errors.New("nobody answers at " + address)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, response.Status)
	}
	fmt.Println("ready")
	return nil
}
