package docker

import (
	"bufio"
	"bytes"
	"net/netip"
	"os"
	"strings"
)

// resolverFiles are what the engine reads; the second where the first names systemd-resolved alone, whose address
// no container can reach.
var resolverFiles = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// resolvers are where the engine's name server in a container asks for what it does not know itself: configured,
// or the machine's own. It asks from inside the container, so that one on this machine, or at a link-local
// address as some clouds have it, is let through. One on a loopback address it asks from outside.
func resolvers(configured []string) []netip.AddrPort {
	names := configured
	if len(names) == 0 {
		for _, file := range resolverFiles {
			text, err := os.ReadFile(file)
			if err == nil { // the second exists on some machines only, and without the first the engine has a default
				names = append(names, nameservers(text)...)
			}
		}
	}
	var list []netip.AddrPort
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil && !addr.IsLoopback() {
			list = append(list, netip.AddrPortFrom(addr.WithZone(""), 53))
		}
	}
	return list
}

// nameservers reads a file of resolv.conf(5).
func nameservers(text []byte) []string {
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == "nameserver" {
			names = append(names, words[1])
		}
	}
	return names
}
