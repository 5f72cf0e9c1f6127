package docker

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestUnprivileged(t *testing.T) {
	for user, want := range map[string]string{
		"": appUser, "root": appUser, "0": appUser, "0:0": appUser, "root:app": appUser, "00": appUser, ":5": appUser,
		"-1": appUser, "99999999999999999999": appUser,
		"node": "node", "1001": "1001", "1001:0": "1001:0", "app:app": "app:app",
	} {
		if got := unprivileged(user); got != want {
			t.Errorf("user %q runs as %q, want %q", user, got, want)
		}
	}
}

func TestSubnets(t *testing.T) {
	pool := netip.MustParsePrefix("10.196.0.0/14")
	all := slices.Collect(subnets(pool, 26, "boathook.my-app"))
	if len(all) != 4096 {
		t.Fatalf("%d subnets", len(all))
	}
	seen := map[netip.Prefix]bool{}
	for _, p := range all {
		if seen[p] || p != p.Masked() || !pool.Contains(p.Addr()) {
			t.Fatalf("bad subnet %s", p)
		}
		seen[p] = true
	}
	if !overlaps(all[0], []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}) || overlaps(all[0], all[1:]) {
		t.Error("overlaps")
	}
}

func TestConfigCheck(t *testing.T) {
	for _, cfg := range []Config{{Namespace: "a.b"}, {Namespace: "-x"}, {SubnetBits: 30}, {SubnetBits: 8}, {Pool: netip.MustParsePrefix("fd00::/64")}, {FenceBridges: []string{""}}, {FenceBridges: []string{"sixteen-letters-"}}} {
		if err := cfg.withDefaults().check(); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// TestBridgeName is what tells the fence a network of its own from all others.
func TestBridgeName(t *testing.T) {
	pool := netip.MustParsePrefix("10.196.0.0/14")
	seen := map[string]bool{}
	for p := range subnets(pool, 26, "boathook.my-app") {
		name := bridgeName("boathook", p)
		if len(name) > 15 || seen[name] || !strings.HasPrefix(name, bridgePrefix("boathook")) || strings.HasPrefix(name, bridgePrefix("other")) {
			t.Fatalf("bridge of %s: %q", p, name)
		}
		seen[name] = true
	}
}

func TestNameservers(t *testing.T) {
	const file = "# nameserver 192.0.2.1\nsearch example.com\nnameserver 127.0.0.53\nnameserver\nnameserver  fe80::1%eth0\n nameserver 192.0.2.53 # ours\noptions edns0"
	want := []netip.AddrPort{netip.MustParseAddrPort("[fe80::1]:53"), netip.MustParseAddrPort("192.0.2.53:53")}
	if got := resolvers(nameservers([]byte(file))); !slices.Equal(got, want) {
		t.Errorf("resolvers %v, want %v", got, want)
	}
}
