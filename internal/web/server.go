package web

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// patience is how long a connection may take over each part of what it does. A stream sets its own for each write.
type patience struct {
	header time.Duration // until the last header is read
	read   time.Duration // until the last byte of the body is
	write  time.Duration // from then until the last byte of the answer is written
	idle   time.Duration // until the next request begins
}

var defaultPatience = patience{header: 5 * time.Second, read: 15 * time.Second, write: 30 * time.Second, idle: 90 * time.Second}

const (
	requestTime = 8 * time.Second // for everything but a stream
	headerBytes = 16 << 10        // net/http reads 4 KiB more before it refuses, and 4 more on a connection that is kept

	// lingerTime is how long all goes on after /readyz began to say draining, so that whoever sends requests here can
	// notice. After it, what is under way has requestTime to end.
	lingerTime = time.Second
)

// notice is logging's level of what has to be in every log.
const notice = slog.LevelInfo + 2

// bounded is the server of net/http with all its limits set: one that is left out is none.
func (s *Server) bounded() *http.Server {
	return &http.Server{Handler: s, ReadHeaderTimeout: s.patience.header, ReadTimeout: s.patience.read, WriteTimeout: s.patience.write,
		IdleTimeout: s.patience.idle, MaxHeaderBytes: headerBytes, ErrorLog: log.New(quiet{s}, "", 0)}
}

// Serve answers on the listener until ctx is done. Then /readyz says draining, and for DrainDelay everything is answered as
// before, streams too, so that a router that has not noticed yet sends nobody into a closed door. Then streams end, which lets
// their pages connect to another process; nobody new is let in; and when the requests in flight have finished (DrainTime at
// most) Serve returns nil.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := s.bounded()
	s.readLists(ctx) // before anybody is let in
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watchLists(watching)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		s.Drain()
		s.endStreams()
		return err
	case <-ctx.Done():
	}
	s.Drain()
	select {
	case err := <-failed:
		return err
	case <-time.After(s.cfg.DrainDelay):
	}
	s.endStreams()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTime)
	defer cancel()
	err := server.Shutdown(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	return err
}

// quiet keeps what net/http complains about (broken handshakes, bad requests) out of the log's text: such lines may
// quote the request. Only that there was one is said.
type quiet struct{ s *Server }

func (q quiet) Write(line []byte) (int, error) {
	q.s.cfg.Log.Debug("net/http complained about a connection", "bytes", len(line))
	return len(line), nil
}
