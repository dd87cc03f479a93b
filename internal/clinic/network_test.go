package clinic_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func addr(s string) netip.Addr { a, _ := netip.ParseAddr(s); return a }

func block(what string) clinic.NetworkForm {
	return clinic.NetworkForm{What: what, Reason: "probing all night", Sure: true}
}

// An entry is in force at once and until its end; who, when and why stay behind it, and each deed is on the trail.
func TestNetworks(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	inForce := func() clinic.Networks {
		t.Helper()
		all, err := w.Clinic.NetworksInForce(ctx)
		must(t, err)
		return all
	}
	if len(inForce()) != 0 {
		t.Fatal("somebody is kept out of a new clinic")
	}
	must(t, w.Clinic.NetworkBlock(ctx, w.Admin, block("203.0.113.77/24")))
	hour := block("2001:DB8::1")
	hour.Lasts = time.Hour
	must(t, w.Clinic.NetworkBlock(ctx, w.Admin, hour))
	must(t, w.Clinic.NetworkBlock(ctx, w.Admin, block(" kp ")))
	must(t, w.Clinic.NetworkAllow(ctx, w.Admin, block("203.0.113.5")))
	now := w.Clock.Now()
	for from, want := range map[string]string{"203.0.113.9": "block", "203.0.113.5": "", "203.0.114.9": "", "2001:db8::1": "block", "2001:db8::2": "", "": ""} {
		if got := inForce().Refuses(addr(from), "", now); got != want {
			t.Errorf("%s is refused by %q, want %q", from, got, want)
		}
	}
	if inForce().Refuses(addr("192.0.2.1"), "KP", now) != "country" || inForce().Refuses(addr("203.0.113.5"), "KP", now) != "" || inForce().Refuses(addr("192.0.2.1"), "", now) != "" {
		t.Error("the country is not held to what is said of it")
	}
	if held := inForce(); held.Refuses(addr("2001:db8::1"), "", now.Add(time.Hour)) != "" {
		t.Error("what a process holds in memory outlives its end")
	}
	w.Clock.Add(time.Hour)
	if got := inForce(); len(got) != 3 || got.Refuses(addr("2001:db8::1"), "", w.Clock.Now()) != "" {
		t.Errorf("%d entries after an hour", len(got))
	}
	must(t, w.Clinic.NetworkBlock(ctx, w.Admin, block("2001:db8::1"))) // again, after its end

	list, err := w.Clinic.NetworkList(ctx, w.Admin)
	must(t, err)
	shown := []string{}
	for _, n := range list {
		shown = append(shown, n.Kind+" "+n.What()+" "+n.By)
	}
	if want := []string{"block 2001:db8::1 Ruth Ebbing", "allow 203.0.113.5 Ruth Ebbing", "country KP Ruth Ebbing", "block 203.0.113.0/24 Ruth Ebbing"}; !slices.Equal(shown, want) {
		t.Errorf("listed: %q", shown)
	}
	must(t, w.Clinic.NetworkUnblock(ctx, w.Admin, list[3].ID, "", false))
	wantKind(t, w.Clinic.NetworkUnblock(ctx, w.Admin, list[3].ID, "", false), clinic.NotFound, "taking it off twice")
	if inForce().Refuses(addr("203.0.113.9"), "", w.Clock.Now()) != "" {
		t.Error("it is still kept out")
	}
	networkTrail(t, w)
}

// networkTrail: each deed left its line, and each entry its row.
func networkTrail(t *testing.T, w *clinictest.World) {
	t.Helper()
	trail := strings.Join(w.Strings(t, `SELECT deed || ' ' || (detail->>'kind') || ' ' || (detail->>'what') FROM audit_events
		WHERE deed LIKE 'network.%' AND outcome = 'done' AND deed <> 'network.list' ORDER BY at, id`), "; ")
	if want := "network.block block 203.0.113.0/24; network.block block 2001:db8::1; network.block country KP; network.allow allow 203.0.113.5; " +
		"network.block block 2001:db8::1; network.unblock block 203.0.113.0/24"; trail != want {
		t.Errorf("on the trail: %s", trail)
	}
	wantCount(t, w, 5, "entries kept for the past", "SELECT count(*) FROM networks")
	if names := w.Names(); !slices.Contains(names, clinic.NetworksChanged) {
		t.Error("no process is told")
	}
}

func TestNetworkForm(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.NetworkBlock(ctx, w.Admin, block("192.0.2.0/24")))
	for name, test := range map[string]struct {
		f     clinic.NetworkForm
		allow bool
		field string
	}{
		"nothing":             {clinic.NetworkForm{Reason: "because", Sure: true}, false, "what"},
		"no network":          {block("the neighbours"), false, "what"},
		"too many bits":       {block("192.0.2.0/33"), false, "what"},
		"a zone":              {block("fe80::1%eth0"), false, "what"},
		"three letters":       {block("CAN"), false, "what"},
		"twice":               {block("192.0.2.99/24"), false, "what"},
		"twice, as IPv6":      {block("::ffff:192.0.2.0/120"), false, "what"},
		"a country let in":    {block("CA"), true, "what"},
		"no reason":           {clinic.NetworkForm{What: "198.51.100.1", Sure: true}, false, "reason"},
		"a long reason":       {clinic.NetworkForm{What: "198.51.100.1", Reason: strings.Repeat("x", 201), Sure: true}, false, "reason"},
		"a time of their own": {clinic.NetworkForm{What: "198.51.100.1", Reason: "because", Lasts: 5 * time.Minute, Sure: true}, false, "lasts"},
	} {
		do := w.Clinic.NetworkBlock
		if test.allow {
			do = w.Clinic.NetworkAllow
		}
		err := do(ctx, w.Admin, test.f)
		if clinic.KindOf(err) != clinic.Invalid || clinic.Fields(err)[test.field] == "" {
			t.Errorf("%s: %v %v", name, err, clinic.Fields(err))
		}
	}
	wantCount(t, w, 1, "entries", "SELECT count(*) FROM networks")
	must(t, w.Exec(t, `INSERT INTO networks (id, clinic_id, kind, network, reason, added_by, added_at)
		SELECT gen_random_uuid(), clinic_id, kind, ('10.' || i / 256 || '.' || i % 256 || '.0/24')::cidr, reason, added_by, added_at FROM networks, generate_series(1, 999) i`))
	if err := w.Clinic.NetworkBlock(ctx, w.Admin, block("198.51.100.1")); !strings.Contains(clinic.Fields(err)["what"], "full") {
		t.Errorf("one more than a thousand: %v", err)
	}
}

// Nobody shuts themselves out without being told, by any of the four ways there are.
func TestNobodyShutsThemselvesOutUnasked(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	admin := w.Admin
	admin.IP = "192.0.2.7"
	refused := func(err error, what string) {
		t.Helper()
		wantCode(t, err, "shuts_out", what)
		if clinic.Fields(err)["sure"] == "" || !strings.Contains(clinic.Sentence(err), "192.0.2.7") {
			t.Errorf("%s: %s %v", what, clinic.Sentence(err), clinic.Fields(err))
		}
	}
	unsure := func(what string) clinic.NetworkForm {
		return clinic.NetworkForm{What: what, Reason: "because", Here: "US"}
	}
	refused(w.Clinic.NetworkBlock(ctx, admin, unsure("192.0.2.7")), "one's own address")
	refused(w.Clinic.NetworkBlock(ctx, admin, unsure("192.0.0.0/16")), "one's own network")
	refused(w.Clinic.NetworkBlock(ctx, admin, unsure("US")), "one's own country")
	wantCount(t, w, 0, "entries", "SELECT count(*) FROM networks")

	must(t, w.Clinic.NetworkAllow(ctx, admin, unsure("192.0.2.7")))
	must(t, w.Clinic.NetworkBlock(ctx, admin, unsure("US"))) // they are let in all the same
	list, err := w.Clinic.NetworkList(ctx, admin)
	must(t, err)
	refused(w.Clinic.NetworkUnblock(ctx, admin, list[1].ID, "US", false), "what alone lets one in")
	wantCount(t, w, 2, "entries in force", "SELECT count(*) FROM networks WHERE removed_at IS NULL")
	must(t, w.Clinic.NetworkUnblock(ctx, admin, list[1].ID, "US", true))
	sure := unsure("192.0.2.0/24")
	sure.Sure = true
	must(t, w.Clinic.NetworkBlock(ctx, admin, sure))
	must(t, w.Clinic.NetworkUnblock(ctx, clinic.OperatorActor("test"), list[0].ID, "", false)) // whoever runs the server lets them in again
}

// The lists are of one clinic; whatever is on them, an allowed network is let in, and without entries everybody is.
func TestNetworksRefuse(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	must(t, n.Clinic.NetworkBlock(ctx, n.Admin, block("203.0.113.0/24")))
	all, err := w.Clinic.NetworksInForce(ctx)
	must(t, err)
	own, err := w.Clinic.NetworkList(ctx, w.Admin)
	must(t, err)
	if len(all)+len(own) != 0 {
		t.Error("a neighbour's entries are in force here")
	}
	theirs, err := n.Clinic.NetworkList(ctx, n.Admin)
	must(t, err)
	wantKind(t, w.Clinic.NetworkUnblock(ctx, w.Admin, theirs[0].ID, "", true), clinic.NotFound, "a neighbour's entry")

	now := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 255}), 4, 4).Draw(t, "bytes")
			return netip.PrefixFrom(netip.AddrFrom4([4]byte(b)), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		})
		var entries clinic.Networks
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			e := clinic.Network{Kind: rapid.SampledFrom([]string{"block", "allow", "country"}).Draw(t, "kind"), Country: "KP", Network: prefix.Draw(t, "network")}
			if rapid.Bool().Draw(t, "over") {
				over := now.Add(-time.Second)
				e.ExpiresAt = &over
			}
			entries = append(entries, e)
		}
		from, country := prefix.Draw(t, "from").Addr(), rapid.SampledFrom([]string{"", "KP", "US"}).Draw(t, "country")
		allowed, blocked, there := false, false, false
		for _, e := range entries {
			if e.ExpiresAt == nil {
				allowed = allowed || e.Kind == "allow" && e.Network.Contains(from)
				blocked = blocked || e.Kind == "block" && e.Network.Contains(from)
				there = there || e.Kind == "country" && country == "KP"
			}
		}
		want := ""
		if !allowed && blocked {
			want = "block"
		} else if !allowed && there {
			want = "country"
		}
		if got := entries.Refuses(from, country, now); got != want {
			t.Fatalf("%v from %s: %q, want %q; of %+v", from, country, got, want, entries)
		}
	})
}
