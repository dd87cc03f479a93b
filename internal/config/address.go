package config

import (
	"net/netip"
	"strings"
)

// isHere reports whether a host is this machine itself, as far as its name tells.
func isHere(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsLoopback() || address.IsUnspecified()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasPrefix(host, "127.")
}

// isNear reports whether a host is this machine or a private network: where a
// sandbox stands, and where no provider does.
func isNear(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsLoopback() || address.IsPrivate() || address.IsUnspecified() || address.IsLinkLocalUnicast()
	}
	if !strings.Contains(host, ".") || host[0] >= '0' && host[0] <= '9' && !strings.ContainsAny(host, "abcdefghijklmnopqrstuvwxyz-") {
		return true // localhost, a bare machine name, or an address in a short spelling such as 127.1
	}
	for _, end := range []string{".localhost", ".local", ".localdomain", ".internal", ".lan", ".test", ".example", ".invalid"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}
