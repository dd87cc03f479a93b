package local

import (
	"errors"
	"fmt"
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

// freePort asks the system for a port on the loopback that nobody uses at this moment.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port), nil
}
