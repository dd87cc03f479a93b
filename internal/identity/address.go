package identity

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Edge is what stands in front of us and is believed: whose word counts, and in
// which headers it tells the address and the country of a request. A header
// that is not named is not looked at.
type Edge struct {
	Trusted       []netip.Prefix
	AddressHeader string // such as CF-Connecting-IP; empty: X-Forwarded-For is walked
	CountryHeader string // such as CF-IPCountry; empty: no country is known
}

// Client is the address that a request came from. Where the peer is trusted
// and the edge names a header, its one value is the address; when it is not
// there, twice there or cannot be read, the request did not come by the edge,
// and X-Forwarded-For is walked as ever.
func (e Edge) Client(r *http.Request) netip.Addr {
	if e.AddressHeader != "" && FromTrustedProxy(r, e.Trusted) {
		if said := r.Header.Values(e.AddressHeader); len(said) == 1 {
			if address, ok := readAddress(strings.TrimSpace(said[0])); ok {
				return address
			}
		}
	}
	return ClientIP(r, e.Trusted)
}

// Country is the two letters of the country that the edge tells, or nothing.
func (e Edge) Country(r *http.Request) string {
	if e.CountryHeader == "" || !FromTrustedProxy(r, e.Trusted) {
		return ""
	}
	said := r.Header.Values(e.CountryHeader)
	if len(said) != 1 {
		return ""
	}
	country := strings.ToUpper(strings.TrimSpace(said[0]))
	if len(country) != 2 || strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return ""
	}
	return country
}

// ClientIP is the address that a request came from. Where the peer is a
// trusted proxy, it walks X-Forwarded-For from the right, past the trusted
// ones, to the first address that is not; from anyone else the header is not
// looked at. What cannot be read ends the walk at the last address that could.
// The zero Addr means that not even the peer is known.
func ClientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client := peer(r)
	if !within(client, trusted) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, ok := readAddress(strings.TrimSpace(hop))
		if !ok {
			return client
		}
		client = address
		if !within(client, trusted) {
			return client
		}
	}
	return client
}

// FromTrustedProxy reports whether the peer of a request, not what it claims,
// is one of the trusted proxies.
func FromTrustedProxy(r *http.Request, trusted []netip.Prefix) bool {
	return within(peer(r), trusted)
}

func peer(r *http.Request) netip.Addr {
	address, _ := readAddress(r.RemoteAddr)
	return address
}

// readAddress reads an address with or without a port. An IPv4 address written
// as IPv6 is the IPv4 address.
func readAddress(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return address.Unmap().WithZone(""), true
}

func within(address netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(address) })
}
