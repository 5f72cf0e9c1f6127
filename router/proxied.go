package router

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// proxied is a connection whose PROXY header, written by a load balancer in front, said between which addresses it really is:
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, versions 1 and 2.
type proxied struct {
	*net.TCPConn
	remote, local net.Addr
}

func (p *proxied) RemoteAddr() net.Addr { return p.remote }
func (p *proxied) LocalAddr() net.Addr  { return p.local }

// errProxyHeader ends a connection that does not begin with a PROXY header: anybody could have made it.
var errProxyHeader = errors.New("no well-formed PROXY header")

const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n" // of version 2
	proxyHeaderMax = 107                      // bytes of one of version 1
	proxyTime      = 5 * time.Second          // for the header to come in
)

// readProxyHeader reads no further than the header goes.
func readProxyHeader(c net.Conn) (net.Conn, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("%T: %w", c, errProxyHeader)
	}
	_ = c.SetReadDeadline(time.Now().Add(proxyTime))
	start := make([]byte, len(proxySignature))
	if _, err := io.ReadFull(c, start); err != nil {
		return nil, err
	}
	p := &proxied{TCPConn: tcp, remote: c.RemoteAddr(), local: c.LocalAddr()}
	read := p.readText
	if string(start) == proxySignature {
		read = p.readBinary
	}
	if err := read(start); err != nil {
		return nil, err
	}
	return p, c.SetReadDeadline(time.Time{})
}

// readText reads on in "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", or "PROXY UNKNOWN ...\r\n".
func (p *proxied) readText(line []byte) error {
	one := make([]byte, 1)
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == proxyHeaderMax {
			return errProxyHeader
		}
		if _, err := io.ReadFull(p.TCPConn, one); err != nil {
			return err
		}
		line = append(line, one[0])
	}
	words := strings.Split(strings.TrimSuffix(string(line), "\r\n"), " ")
	switch {
	case len(words) >= 2 && words[0] == "PROXY" && words[1] == "UNKNOWN":
		return nil
	case len(words) != 6 || words[0] != "PROXY" || words[1] != "TCP4" && words[1] != "TCP6":
		return errProxyHeader
	}
	from, errFrom := endpoint(words[1], words[2], words[4])
	to, errTo := endpoint(words[1], words[3], words[5])
	p.remote, p.local = from, to
	return errors.Join(errFrom, errTo)
}

// endpoint reads an address of the family, "TCP4" or "TCP6", and a port.
func endpoint(family, host, port string) (*net.TCPAddr, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" || ip.Is4() != (family == "TCP4") {
		return nil, errProxyHeader
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, errProxyHeader
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(n))), nil
}

// readBinary reads what follows the signature: version and command, family, length, addresses, and fields that nobody here asks for.
func (p *proxied) readBinary([]byte) error {
	fixed := make([]byte, 4)
	if _, err := io.ReadFull(p.TCPConn, fixed); err != nil {
		return err
	}
	rest := make([]byte, binary.BigEndian.Uint16(fixed[2:]))
	if _, err := io.ReadFull(p.TCPConn, rest); err != nil {
		return err
	}
	const local, proxy, tcp4, tcp6 = 0x20, 0x21, 0x11, 0x21
	size := map[byte]int{tcp4: 4, tcp6: 16}[fixed[1]]
	switch {
	case fixed[0] == local:
		return nil // the load balancer's own, to see whether we live
	case fixed[0] == proxy && fixed[1]>>4 == 0:
		return nil // AF_UNSPEC: it does not say, as with UNKNOWN
	case fixed[0] != proxy || size == 0 || len(rest) < 2*size+4:
		return errProxyHeader
	}
	p.remote = &net.TCPAddr{IP: rest[:size], Port: int(binary.BigEndian.Uint16(rest[2*size:]))}
	p.local = &net.TCPAddr{IP: rest[size : 2*size], Port: int(binary.BigEndian.Uint16(rest[2*size+2:]))}
	return nil
}
