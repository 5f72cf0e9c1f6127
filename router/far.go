package router

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// newFarClient returns a client for addresses that somebody else has named, as in a certificate: it speaks to port 80 and 443 of machines elsewhere,
// and follows no redirection. Without that a certificate could have boathook ask what its owner cannot reach.
func newFarClient() *http.Client {
	dialer := net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error { return farAway(address) }}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, IdleConnTimeout: time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errNear = errors.New("refused: only port 80 and 443 of public addresses are asked")

// farAway refuses this machine and its neighbourhood.
func farAway(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap()
	if to.Port() != 80 && to.Port() != 443 || !ip.IsGlobalUnicast() || ip.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(ip) {
		return errNear
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(own, func(a net.Addr) bool { n, ok := a.(*net.IPNet); return ok && n.IP.Equal(ip.AsSlice()) }) {
		return errNear
	}
	return nil
}
