package docker

import (
	"hash/fnv"
	"net/netip"
)

func overlaps(p netip.Prefix, with []netip.Prefix) bool {
	for _, w := range with {
		if p.Overlaps(w) {
			return true
		}
	}
	return false
}

// subnets are the pieces of pool, starting at one that depends on name: apps keep their addresses over a
// restart, and boathooks that share an engine seldom try the same piece at the same time.
func subnets(pool netip.Prefix, bits int, name string) func(yield func(netip.Prefix) bool) {
	count := uint32(1) << (bits - pool.Bits())
	hash := fnv.New32a()
	hash.Write([]byte(name))
	first := hash.Sum32() % count
	base := pool.Addr().As4()
	return func(yield func(netip.Prefix) bool) {
		for i := range count {
			at := be32(base) + (first+i)%count<<(32-bits)
			addr := netip.AddrFrom4([4]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)})
			if !yield(netip.PrefixFrom(addr, bits)) {
				return
			}
		}
	}
}

func be32(b [4]byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
