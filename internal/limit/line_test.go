package limit

import (
	"io"
	"net"
	"sync"
	"testing"
)

// line passes bytes between a client and a server until a test cuts or freezes it.
type line struct {
	addr, to string
	mu       sync.Mutex
	listener net.Listener
	frozen   bool
	open     []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l := &line{to: to}
	l.listen(t, "127.0.0.1:0")
	t.Cleanup(l.cut)
	return l
}

func (l *line) listen(t *testing.T, at string) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.listener, l.addr = listener, listener.Addr().String()
	l.mu.Unlock()
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(in)
		}
	}()
}

func (l *line) carry(in net.Conn) {
	out, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = in.Close()
		return
	}
	l.mu.Lock()
	l.open = append(l.open, in, out)
	l.mu.Unlock()
	go l.pass(in, out)
	l.pass(out, in)
}

func (l *line) pass(to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		frozen := l.frozen
		l.mu.Unlock()
		if err != nil {
			_ = to.Close()
			return
		}
		if frozen {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			_, _ = io.Copy(io.Discard, from)
			return
		}
	}
}

// cut closes every connection and takes no new one.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.listener.Close()
	for _, c := range l.open {
		_ = c.Close()
	}
	l.open = nil
}

func (l *line) mend(t *testing.T) { l.listen(t, l.addr) }

// freeze lets nothing pass any more, without a word to either side.
func (l *line) freeze() { l.mu.Lock(); l.frozen = true; l.mu.Unlock() }
