package crash

import (
	"io"
	"net"
	"net/url"
	"sync"
	"syscall"
	"testing"
)

const kill = syscall.SIGKILL

// line stands between a process and a server, so that a test can cut it without stopping anybody's server.
type line struct {
	target string
	mu     sync.Mutex
	broken bool
	live   map[net.Conn]bool
}

// through makes the house's processes reach a server by way of a line.
func through(t testing.TB, env map[string]string, name string) *line {
	t.Helper()
	address, err := url.Parse(env[name])
	must(t, err)
	listener, port := listen(t)
	l := &line{target: address.Host, live: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = listener.Close(); l.cut(true) })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(in)
		}
	}()
	address.Host = net.JoinHostPort("127.0.0.1", port)
	env[name] = address.String()
	return l
}

func (l *line) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer out.Close()
	l.mu.Lock()
	if l.broken {
		l.mu.Unlock()
		return
	}
	l.live[in], l.live[out] = true, true
	l.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { _, _ = io.Copy(pair[0], pair[1]); done <- struct{}{} }()
	}
	<-done
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, in)
	delete(l.live, out)
}

// cut breaks the line, or mends it.
func (l *line) cut(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
	if broken {
		for c := range l.live {
			_ = c.Close()
		}
	}
}
