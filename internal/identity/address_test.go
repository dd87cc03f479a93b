package identity

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientIP(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	tests := map[string]struct {
		peer      string
		forwarded []string
		want      string
		proxy     bool
	}{
		"no proxy":                         {"203.0.113.9:4000", nil, "203.0.113.9", false},
		"a claim by a stranger":            {"203.0.113.9:4000", []string{"198.51.100.1"}, "203.0.113.9", false},
		"a claim that names a proxy":       {"203.0.113.9:4000", []string{"10.0.0.1"}, "203.0.113.9", false},
		"one proxy":                        {"10.0.0.1:4000", []string{"198.51.100.1"}, "198.51.100.1", true},
		"two proxies":                      {"10.0.0.1:4000", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1", true},
		"a forged left end":                {"10.0.0.1:4000", []string{"192.0.2.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1", true},
		"a forged proxy at the left":       {"10.0.0.1:4000", []string{"10.9.9.9, 198.51.100.1"}, "198.51.100.1", true},
		"over two header lines":            {"10.0.0.1:4000", []string{"192.0.2.1", "198.51.100.1, 10.0.0.2"}, "198.51.100.1", true},
		"no header behind a proxy":         {"10.0.0.1:4000", nil, "10.0.0.1", true},
		"an empty header":                  {"10.0.0.1:4000", []string{""}, "10.0.0.1", true},
		"only proxies":                     {"10.0.0.1:4000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3", true},
		"nonsense ends the walk":           {"10.0.0.1:4000", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2", true},
		"nonsense at once":                 {"10.0.0.1:4000", []string{"198.51.100.1, _hidden"}, "10.0.0.1", true},
		"with a port":                      {"10.0.0.1:4000", []string{"198.51.100.1:5555"}, "198.51.100.1", true},
		"IPv6 client":                      {"10.0.0.1:4000", []string{"2001:db8::7"}, "2001:db8::7", true},
		"IPv6 client in brackets":          {"10.0.0.1:4000", []string{"[2001:db8::7]"}, "2001:db8::7", true},
		"IPv6 client with a port":          {"10.0.0.1:4000", []string{"[2001:db8::7]:443"}, "2001:db8::7", true},
		"IPv6 proxy":                       {"[2001:db8:ffff::1]:4000", []string{"198.51.100.1"}, "198.51.100.1", true},
		"IPv4 in IPv6 is the IPv4 proxy":   {"[::ffff:10.0.0.1]:4000", []string{"::ffff:198.51.100.1"}, "198.51.100.1", true},
		"a zone does not hide the address": {"[fe80::1%eth0]:4000", nil, "fe80::1", false},
		"a peer that cannot be read":       {"@", []string{"198.51.100.1"}, "invalid IP", false},
		"white space and trailing commas":  {"10.0.0.1:4000", []string{" 198.51.100.1 ,\t10.0.0.2 "}, "198.51.100.1", true},
		"a comma at the end ends the walk": {"10.0.0.1:4000", []string{"198.51.100.1,"}, "10.0.0.1", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			if got := ClientIP(r, trusted).String(); got != tt.want {
				t.Errorf("client is %s, want %s", got, tt.want)
			}
			if got := FromTrustedProxy(r, trusted); got != tt.proxy {
				t.Errorf("from a trusted proxy is %v, want %v", got, tt.proxy)
			}
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:4000"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	if got := ClientIP(r, nil); got != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("with nobody trusted the client is %s", got)
	}
}
