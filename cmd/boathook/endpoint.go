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
