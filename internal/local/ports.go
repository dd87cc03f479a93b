package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// chosenPort reads the port named by a variable, or the fallback if it is not set, and makes sure that nobody listens there, on
// any address that a server on all addresses would share.
func chosenPort(env *Environment, variable, fallback string) (string, error) {
	port := env.Get(variable)
	if port == "" {
		port = fallback
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("%s=%s is not a port number", variable, port)
	}
	for _, host := range []string{"", "127.0.0.1", "::1"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
		switch {
		case err == nil:
			_ = listener.Close()
		case errors.Is(err, syscall.EADDRINUSE):
			return "", fmt.Errorf("port %s is taken; set %s=… to another one", port, variable)
		case errors.Is(err, syscall.EACCES):
			return "", fmt.Errorf("port %s needs more rights than you have; set %s=… to another one", port, variable)
		}
	}
	return port, nil
}

// lowPorts is below the ports that systems give to outgoing connections: a server on one of these can be killed and started again
// without one of them having taken its place.
const lowPorts, lowPortCount = 20000, 12000

// LowPort finds a port on the loopback that nobody uses at this moment, for a server that will be started more than once.
func LowPort() (string, error) {
	for range 200 {
		port := strconv.Itoa(lowPorts + rand.N(lowPortCount))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, listener.Close()
		}
	}
	return "", errors.New("finding a free port: none of two hundred is free")
}

func (d Durability) port() (string, error) {
	if d == Tried {
		return LowPort()
	}
	return freePort()
}

// freePort asks the system for a port on the loopback that nobody uses at this moment.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port), nil
}
