package identity

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var edge = Edge{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")},
	AddressHeader: "CF-Connecting-IP", CountryHeader: "CF-IPCountry"}

func from(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestEdgeClient(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		r    *http.Request
		want string
	}{
		"the edge's word":            {from("10.0.0.1:4000", "CF-Connecting-IP", "198.51.100.1"), "198.51.100.1"},
		"before the chain":           {from("10.0.0.1:4000", "CF-Connecting-IP", "198.51.100.1", "X-Forwarded-For", "192.0.2.1"), "198.51.100.1"},
		"IPv6":                       {from("10.0.0.1:4000", "CF-Connecting-IP", "2001:db8::7"), "2001:db8::7"},
		"a stranger's word":          {from("203.0.113.9:4000", "CF-Connecting-IP", "198.51.100.1"), "203.0.113.9"},
		"two words are none":         {from("10.0.0.1:4000", "CF-Connecting-IP", "198.51.100.1", "CF-Connecting-IP", "198.51.100.2", "X-Forwarded-For", "192.0.2.1"), "192.0.2.1"},
		"a list is none":             {from("10.0.0.1:4000", "CF-Connecting-IP", "198.51.100.1, 198.51.100.2", "X-Forwarded-For", "192.0.2.1"), "192.0.2.1"},
		"nonsense":                   {from("10.0.0.1:4000", "CF-Connecting-IP", "me", "X-Forwarded-For", "192.0.2.1"), "192.0.2.1"},
		"did not come by the edge":   {from("10.0.0.1:4000", "X-Forwarded-For", "192.0.2.1"), "192.0.2.1"},
		"nothing but the peer":       {from("10.0.0.1:4000"), "10.0.0.1"},
		"a header that is not named": {from("10.0.0.1:4000", "True-Client-IP", "198.51.100.1"), "10.0.0.1"},
	} {
		if got := edge.Client(test.r).String(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	unnamed := Edge{Trusted: edge.Trusted}
	if got := unnamed.Client(from("10.0.0.1:4000", "CF-Connecting-IP", "198.51.100.1")).String(); got != "10.0.0.1" {
		t.Errorf("a header that nobody configured is believed: %s", got)
	}
}

func TestEdgeCountry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		r    *http.Request
		want string
	}{
		"told":              {from("10.0.0.1:4000", "CF-IPCountry", "us"), "US"},
		"Tor":               {from("10.0.0.1:4000", "CF-IPCountry", "T1"), "T1"},
		"a stranger's word": {from("203.0.113.9:4000", "CF-IPCountry", "US"), ""},
		"twice":             {from("10.0.0.1:4000", "CF-IPCountry", "US", "CF-IPCountry", "CA"), ""},
		"too long":          {from("10.0.0.1:4000", "CF-IPCountry", "USA"), ""},
		"no letters":        {from("10.0.0.1:4000", "CF-IPCountry", "<b"), ""},
		"not told":          {from("10.0.0.1:4000"), ""},
	} {
		if got := edge.Country(test.r); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := (Edge{Trusted: edge.Trusted}).Country(from("10.0.0.1:4000", "CF-IPCountry", "US")); got != "" {
		t.Errorf("a header that nobody configured is believed: %s", got)
	}
}

// Whatever a caller writes into the headers, their address is the one from which the first trusted machine took the
// request; and for who comes directly, the one they came from.
func TestNobodyChoosesTheirAddress(t *testing.T) {
	t.Parallel()
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		a := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4")))
		if rapid.Bool().Draw(t, "v6") {
			a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v16")))
		}
		return a.Unmap()
	})
	stranger := address.Filter(func(a netip.Addr) bool { return !within(a, edge.Trusted) })
	proxy := rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "proxy")
		return netip.AddrFrom4([4]byte{10, b[0], b[1], b[2]})
	})
	claim := rapid.OneOf(rapid.Custom(func(t *rapid.T) string { return address.Draw(t, "claimed").String() }),
		rapid.Custom(func(t *rapid.T) string { return proxy.Draw(t, "claimed proxy").String() }),
		rapid.SampledFrom([]string{"", "unknown", ",", "::", "127.0.0.1", "10.0.0.1:80", "[::1]:9", "198.51.100.7, 10.0.0.1"}), rapid.StringMatching(`[ -~]{0,20}`))
	chain := Edge{Trusted: edge.Trusted}
	rapid.Check(t, func(t *rapid.T) {
		client := stranger.Draw(t, "client")
		lines := rapid.SliceOfN(claim, 0, 4).Draw(t, "claims")
		r := from(netip.AddrPortFrom(client, 4000).String())
		for _, line := range lines {
			r.Header.Add("X-Forwarded-For", line)
			r.Header.Add("CF-Connecting-IP", line)
		}
		if got := edge.Client(r); got != client {
			t.Fatalf("direct: %s, want %s", got, client)
		}
		hops := rapid.SliceOfN(proxy, 1, 3).Draw(t, "proxies") // each adds whom it heard from
		heard := append([]netip.Addr{client}, hops[:len(hops)-1]...)
		for _, h := range heard {
			lines = append(lines, h.String())
		}
		r = from(netip.AddrPortFrom(hops[len(hops)-1], 4000).String(), "X-Forwarded-For", strings.Join(lines, ", "))
		if got := chain.Client(r); got != client {
			t.Fatalf("by %v: %s, want %s, from %v", hops, got, client, lines)
		}
	})
}
