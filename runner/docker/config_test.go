package docker

import (
	"net/netip"
	"slices"
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
	for _, cfg := range []Config{{Namespace: "a.b"}, {Namespace: "-x"}, {SubnetBits: 30}, {SubnetBits: 8}, {Pool: netip.MustParsePrefix("fd00::/64")}} {
		if err := cfg.withDefaults().check(); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
