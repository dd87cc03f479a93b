package chaos

import (
	"io"
	"net"
	"sync"
	"time"

	"countersign/internal/local"
)

// balancer stands before the web processes at the public address, as a load balancer would: it gives each connection to
// the next process that takes one, and knows nothing of what is said on it.
type balancer struct {
	listener net.Listener
	address  string

	mu      sync.Mutex
	targets []string
	turn    int
	open    map[net.Conn]bool
}

func newBalancer() (*balancer, error) {
	port, err := local.LowPort()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	b := &balancer{listener: listener, address: "http://localhost:" + port, open: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go b.carry(conn)
		}
	}()
	return b, nil
}

func (b *balancer) add(target string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.targets = append(b.targets, target)
}

// carry joins a connection to a web process and passes bytes both ways until either side ends.
func (b *balancer) carry(in net.Conn) {
	defer in.Close()
	out := b.dial()
	if out == nil || !b.keep(in, out) {
		return
	}
	defer out.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { _, _ = io.Copy(pair[0], pair[1]); done <- struct{}{} }()
	}
	<-done
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, in)
	delete(b.open, out)
}

// dial tries each process once, beginning with the next.
func (b *balancer) dial() net.Conn {
	b.mu.Lock()
	targets, turn := b.targets, b.turn
	b.turn++
	b.mu.Unlock()
	for i := range targets {
		if conn, err := net.DialTimeout("tcp", targets[(turn+i)%len(targets)], time.Second); err == nil {
			return conn
		}
	}
	return nil
}

// keep remembers a pair of connections, unless the balancer has been closed meanwhile.
func (b *balancer) keep(in, out net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		_ = out.Close()
		return false
	}
	b.open[in], b.open[out] = true, true
	return true
}

func (b *balancer) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.open {
		_ = conn.Close()
	}
	b.open = nil
}
