package clinic

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// NetworksChanged is the name that is announced when the lists of networks change.
const NetworksChanged = "networks"

// Kinds of entries. What is allowed is let in whatever the others say.
const (
	NetworkBlocked = "block"
	CountryBlocked = "country"
	NetworkAllowed = "allow"
)

// Network is one entry of the lists: a network or a country, why, by whom, and until when.
type Network struct {
	ID        uuid.UUID
	Kind      string
	Network   netip.Prefix
	Country   string
	Reason    string
	By        string
	At        time.Time
	ExpiresAt *time.Time
}

// What is the network or the country, as it is written.
func (n Network) What() string {
	if n.Kind == CountryBlocked {
		return n.Country
	}
	if n.Network.IsSingleIP() {
		return n.Network.Addr().String()
	}
	return n.Network.String()
}

// Networks are the entries in force, as the door of the web process holds them.
type Networks []Network

// Refuses says by which kind of entry a caller is kept out, or nothing. What cannot be told (no address, no country) is
// not kept out by it.
func (all Networks) Refuses(from netip.Addr, country string, now time.Time) string {
	why := ""
	for _, n := range all {
		if n.ExpiresAt != nil && !n.ExpiresAt.After(now) {
			continue
		}
		switch n.Kind {
		case NetworkAllowed:
			if n.Network.Contains(from) {
				return ""
			}
		case NetworkBlocked:
			if n.Network.Contains(from) {
				why = NetworkBlocked
			}
		case CountryBlocked:
			if why == "" && country != "" && n.Country == country {
				why = CountryBlocked
			}
		}
	}
	return why
}

// NetworkForm is an entry as an admin types it, and from which country they do. Lasts of 0 is until it is taken off.
type NetworkForm struct {
	What, Reason string
	Lasts        time.Duration
	Sure         bool   // they have read that it shuts themselves out
	Here         string // the country that the edge tells of them
}

// NetworkLasts are the choices of the form.
var NetworkLasts = []time.Duration{0, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

var countryCode = regexp.MustCompile(`^[A-Z][A-Z0-9]$`)

// NetworksInForce is the lists of the clinic that this installation serves, before anybody is known.
func (c *Clinic) NetworksInForce(ctx context.Context) (Networks, error) {
	q := db.New(c.pool)
	cl, err := q.ClinicFirst(ctx)
	if noRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return networksOf(ctx, q, cl.ID, c.now())
}

func networksOf(ctx context.Context, q *db.Queries, clinicID uuid.UUID, now time.Time) (Networks, error) {
	rows, err := q.NetworksInForce(ctx, db.NetworksInForceParams{ClinicID: clinicID, At: now, RowLimit: networksMost})
	if err != nil {
		return nil, err
	}
	all := make(Networks, 0, len(rows))
	for _, r := range rows {
		n := Network{ID: r.ID, Kind: r.Kind, Reason: r.Reason, By: r.AddedByName, At: r.AddedAt, ExpiresAt: r.ExpiresAt}
		if r.Network != nil {
			n.Network = *r.Network
		}
		if r.Country != nil {
			n.Country = *r.Country
		}
		all = append(all, n)
	}
	return all, nil
}

// NetworkList is the lists, newest entry first.
func (c *Clinic) NetworkList(ctx context.Context, a Actor) (Networks, error) {
	var all Networks
	err := c.do(ctx, a, NetworkList, Subject{Kind: "network"}, func(t *tx) (err error) {
		if err := t.home(ctx); err != nil {
			return err
		}
		all, err = networksOf(ctx, t.Queries, t.clinicID(), t.at)
		return err
	})
	return all, err
}

// NetworkBlock keeps a network or a country out. Invalid with the code shuts_out when that is where the actor is and they
// have not said that they are sure. Fields: what reason lasts sure.
func (c *Clinic) NetworkBlock(ctx context.Context, a Actor, f NetworkForm) error {
	return c.networkAdd(ctx, a, NetworkBlock, f)
}

// NetworkAllow lets a network in, whatever the block lists say. Fields as of NetworkBlock.
func (c *Clinic) NetworkAllow(ctx context.Context, a Actor, f NetworkForm) error {
	return c.networkAdd(ctx, a, NetworkAllow, f)
}

func (c *Clinic) networkAdd(ctx context.Context, a Actor, d Deed, f NetworkForm) error {
	n := Network{ID: newID()}
	err := c.do(ctx, a, d, Subject{Kind: "network", ID: n.ID}, func(t *tx) error {
		if err := n.read(f, d == NetworkAllow, t.at); err != nil {
			return err
		}
		if err := t.NetworksLock(ctx, t.clinicID()); err != nil {
			return err
		}
		if err := t.NetworksExpire(ctx, db.NetworksExpireParams{ClinicID: t.clinicID(), At: t.at}); err != nil {
			return err
		}
		before, err := networksOf(ctx, t.Queries, t.clinicID(), t.at)
		if err != nil {
			return err
		}
		if len(before) >= networksMost {
			return invalid(map[string]string{"what": fmt.Sprintf("The lists are full: %d entries. Take some off, or name larger networks.", networksMost)})
		}
		if err := t.staysIn(before, append(Networks{n}, before...), f.Here, f.Sure); err != nil {
			return err
		}
		row := db.NetworkAddParams{ID: n.ID, ClinicID: t.clinicID(), Kind: n.Kind, Reason: n.Reason, ExpiresAt: n.ExpiresAt, AddedBy: a.ID, At: t.at}
		if n.Kind == CountryBlocked {
			row.Country = &n.Country
		} else {
			row.Network = &n.Network
		}
		t.detail["kind"], t.detail["what"] = n.Kind, n.What()
		t.names = append(t.names, NetworksChanged)
		return t.NetworkAdd(ctx, row)
	})
	if isUnique(err, "networks_once") {
		return invalid(map[string]string{"what": n.What() + " is on this list already."})
	}
	return err
}

// read takes the form into the entry, or says what is wrong with it.
func (n *Network) read(f NetworkForm, allow bool, now time.Time) error {
	var v form
	n.Kind, n.Reason = NetworkBlocked, v.text("reason", "The reason", f.Reason, 3, 200)
	if allow {
		n.Kind = NetworkAllowed
	}
	what := strings.ToUpper(strings.TrimSpace(f.What))
	switch network, ok := readNetwork(f.What); {
	case ok:
		n.Network = network
	case countryCode.MatchString(what) && allow:
		v.bad("what", "A country can be blocked, but not let in: give a network.")
	case countryCode.MatchString(what):
		n.Kind, n.Country = CountryBlocked, what
	default:
		v.bad("what", "Give an address (192.0.2.7), a network (192.0.2.0/24) or the two letters of a country (CA).")
	}
	known := false
	for _, lasts := range NetworkLasts {
		known = known || lasts == f.Lasts
	}
	if !known {
		v.bad("lasts", "Please choose how long it lasts.")
	}
	if f.Lasts > 0 {
		until := now.Add(f.Lasts)
		n.ExpiresAt = &until
	}
	return v.err()
}

// readNetwork reads an address or a network, without the bits of a host. An IPv4 network written as IPv6 is the IPv4 one.
func readNetwork(text string) (netip.Prefix, bool) {
	text = strings.TrimSpace(text)
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

// staysIn refuses a change by which the actor would shut themselves out, unless they are sure.
func (t *tx) staysIn(before, after Networks, country string, sure bool) error {
	from, _ := netip.ParseAddr(t.actor.IP)
	if sure || t.actor.Kind != ActorPerson || before.Refuses(from, country, t.at) != "" || after.Refuses(from, country, t.at) == "" {
		return nil
	}
	return &Error{Kind: Invalid, Code: "shuts_out", Sentence: "This would shut you out: it is where you are now (" + t.actor.IP + ").",
		Fields: map[string]string{"sure": "You would see nothing of Countersign any more from here. Another administrator, or whoever runs the server, would have to take it off again."}}
}

// NetworkUnblock takes an entry off, whichever list it is on. Invalid with the code shuts_out as NetworkBlock; NotFound
// when somebody was faster, or its time is over.
func (c *Clinic) NetworkUnblock(ctx context.Context, a Actor, id uuid.UUID, country string, sure bool) error {
	return c.do(ctx, a, NetworkUnblock, Subject{Kind: "network", ID: id}, func(t *tx) error {
		if err := t.home(ctx); err != nil {
			return err
		}
		if err := t.NetworksLock(ctx, t.clinicID()); err != nil {
			return err
		}
		before, err := networksOf(ctx, t.Queries, t.clinicID(), t.at)
		if err != nil {
			return err
		}
		after := Networks{}
		for _, n := range before {
			if n.ID != id {
				after = append(after, n)
				continue
			}
			t.detail["kind"], t.detail["what"] = n.Kind, n.What()
		}
		if len(after) == len(before) {
			return notFound()
		}
		if err := t.staysIn(before, after, country, sure); err != nil {
			return err
		}
		t.names = append(t.names, NetworksChanged)
		_, err = t.NetworkRemove(ctx, db.NetworkRemoveParams{At: &t.at, RemovedBy: orNull(a.ID), ID: id, ClinicID: t.clinicID()})
		return err
	})
}
