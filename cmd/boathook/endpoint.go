package main

import (
	"errors"
	"net/netip"
	"strings"
)

// endpoints is a setting of addresses with ports, which may be repeated, or hold several entries separated by spaces.
type endpoints []netip.AddrPort

func (e *endpoints) String() string {
	var words []string
	for _, one := range *e {
		words = append(words, one.String())
	}
	return strings.Join(words, " ")
}

func (e *endpoints) Set(text string) error {
	for _, word := range strings.Fields(text) {
		one, err := netip.ParseAddrPort(word)
		if err != nil || one.Port() == 0 {
			return errors.New("give an IP address and a port, like 192.0.2.1:5432 or [2001:db8::1]:5432")
		}
		*e = append(*e, one)
	}
	return nil
}

// networks is a setting of addresses and networks, which may be repeated, or hold several entries separated by spaces. "all" is every address.
type networks []netip.Prefix

func (n *networks) String() string {
	var words []string
	for _, one := range *n {
		words = append(words, one.String())
	}
	return strings.Join(words, " ")
}

func (n *networks) Set(text string) error {
	for _, word := range strings.Fields(text) {
		if word == "all" {
			*n = append(*n, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			continue
		}
		one, err := netip.ParsePrefix(word)
		if addr, single := netip.ParseAddr(word); single == nil {
			one, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return errors.New("give addresses or networks, like 192.0.2.1 or 2001:db8::/32, or all")
		}
		*n = append(*n, one)
	}
	return nil
}
