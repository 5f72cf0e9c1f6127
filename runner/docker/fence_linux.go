package docker

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// beforeDocker is earlier than the priority 0 of the chains in which the engine accepts what its containers send.
// An earlier chain cannot be overruled by a later one, and destinations have been translated already (-100).
const beforeDocker = nftables.ChainPriority(-10)

// cloud is where machines are told what they are and get their credentials.
var cloud = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local: the metadata of most clouds
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle
	netip.MustParsePrefix("fd00:ec2::/32"),      // Amazon
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google
	netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway
}

// ensure puts the table up unless the kernel has the very rules still with which ensure left it: a start a moment after another need not
// replace a table that nobody has touched.
func (f *fence) ensure() error {
	before, err := generation()
	if err == nil && before == f.left {
		return nil
	}
	known := err == nil
	f.left = 0
	if err := f.put(); err != nil {
		return err
	}
	if after, err := generation(); known && err == nil && after == before+1 { // nobody else's came between
		f.left = after
	}
	return nil
}

// put replaces the table, in one step that no packet sees half done.
func (f *fence) put() error {
	c := &nftables.Conn{}
	f.clear(c)
	f.write(c)
	return c.Flush()
}

// try is put and remove in one step: the kernel checks every rule and keeps none.
func (f *fence) try() error {
	c := &nftables.Conn{}
	f.clear(c)
	f.write(c)
	f.clear(c)
	return c.Flush()
}

func (f *fence) remove() error {
	c := &nftables.Conn{}
	f.clear(c)
	return c.Flush()
}

// clear removes the table. It is added before, as the removal of what is not there would be an error.
func (f *fence) clear(c *nftables.Conn) {
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: f.table()}
	c.AddTable(t)
	c.DelTable(t)
}

// write adds, in the words of nft(8):
//
//	chain host                                           # to this machine
//	    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
//	    ip daddr RESOLVER udp dport 53 accept            # and so on
//	    reject with icmpx admin-prohibited
//	chain away                                           # to anything else
//	    meta pkttype != host accept                      # to many: never routed, so within its own bridge
//	    fib daddr . iif oif != 0 accept                  # within its own bridge
//	    ip daddr RESOLVER udp dport 53 accept
//	    ip daddr 169.254.0.0/16 reject …                 # and so on
//	    ct status dnat reject …                          # was to this machine
//	chain input  { hook input }
//	    ct state established,related accept
//	    iifname "bh1a2b-*" jump host
//	chain forward { hook forward }
//	    ct state established,related accept
//	    iifname "bh1a2b-*" jump away
//	    oifname "bh1a2b-*" reject …
//
// To accept ends these chains only, the packet still has to pass those of the engine.
func (f *fence) write(c *nftables.Conn) {
	t := table{conn: c, Table: c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: f.table()})}
	open := f.exceptions()

	host := t.chain("host", nil)
	for _, kind := range []byte{neighborSolicit, neighborAdvert} {
		t.rule(host, protocol(unix.IPPROTO_ICMPV6), icmpType(kind), verdict(expr.VerdictAccept))
	}
	t.rules(host, open, verdict(expr.VerdictAccept))
	t.rule(host, reject())

	away := t.chain("away", nil)
	t.rule(away, broadcast(), verdict(expr.VerdictAccept))
	t.rule(away, ownNetwork(), verdict(expr.VerdictAccept))
	t.rules(away, open, verdict(expr.VerdictAccept))
	for _, p := range cloud {
		t.rule(away, destination(p), reject())
	}
	t.rule(away, conntrack(expr.CtKeySTATUS, statusDNAT), reject())

	input, forward := t.chain("input", nftables.ChainHookInput), t.chain("forward", nftables.ChainHookForward)
	for _, hooked := range []*nftables.Chain{input, forward} {
		t.rule(hooked, conntrack(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), verdict(expr.VerdictAccept))
	}
	inside := [][]byte{[]byte(bridgePrefix(f.namespace))} // without an end: a prefix
	for _, name := range f.bridges {
		inside = append(inside, append([]byte(name), 0))
	}
	for _, name := range inside {
		t.rule(input, device(expr.MetaKeyIIFNAME, name), jump("host"))
		t.rule(forward, device(expr.MetaKeyIIFNAME, name), jump("away"))
	}
	t.rule(forward, device(expr.MetaKeyOIFNAME, inside[0]), reject())
}

// exceptions match, one each, what may be reached although it is this machine or a metadata service.
func (f *fence) exceptions() [][]expr.Any {
	var all [][]expr.Any
	for _, to := range slices.Concat(resolvers(f.dns), f.reach) {
		for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			addr := to.Addr().Unmap()
			all = append(all, slices.Concat(destination(netip.PrefixFrom(addr, addr.BitLen())), protocol(proto), destinationPort(to.Port())))
		}
	}
	return all
}

// table adds to one table.
type table struct {
	*nftables.Table
	conn *nftables.Conn
}

func (t table) chain(name string, hook *nftables.ChainHook) *nftables.Chain {
	c := &nftables.Chain{Name: name, Table: t.Table}
	if hook != nil {
		c.Type, c.Hooknum, c.Priority = nftables.ChainTypeFilter, hook, nftables.ChainPriorityRef(beforeDocker)
	}
	return t.conn.AddChain(c)
}

// rule adds a rule that does the last of its parts if a packet matches all the others.
func (t table) rule(c *nftables.Chain, parts ...[]expr.Any) {
	t.conn.AddRule(&nftables.Rule{Table: t.Table, Chain: c, Exprs: slices.Concat(parts...)})
}

// rules adds one rule a match.
func (t table) rules(c *nftables.Chain, matches [][]expr.Any, then []expr.Any) {
	for _, match := range matches {
		t.rule(c, match, then)
	}
}

// Numbers of the kernel's for which the packages above have no name: types of ICMPv6 messages (RFC 4861, 4.3 and
// 4.4), packets that are for this machine and not for many (PACKET_HOST of if_packet.h), a translated destination
// (IPS_DST_NAT of nf_conntrack_common.h).
const (
	neighborSolicit = 135
	neighborAdvert  = 136
	packetHost      = 0
	statusDNAT      = 1 << 5
)

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func jump(chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}}
}

// reject answers "administratively prohibited" in ICMP or ICMPv6.
func reject() []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}
}

// device matches names that begin with name. One that ends in a zero byte matches only itself.
func device(key expr.MetaKey, name []byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, is(name)}
}

func protocol(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, is([]byte{proto})}
}

func icmpType(kind byte) []expr.Any {
	return []expr.Any{&expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1, DestRegister: 1}, is([]byte{kind})}
}

// destinationPort is of TCP or UDP, which have it at the same place.
func destinationPort(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2, DestRegister: 1},
		is(binaryutil.BigEndian.PutUint16(port)),
	}
}

// destination matches addresses in p, at their places in the headers of IPv4 and IPv6.
func destination(p netip.Prefix) []expr.Any {
	family, offset := byte(unix.NFPROTO_IPV4), uint32(16)
	if p.Addr().Is6() {
		family, offset = unix.NFPROTO_IPV6, 24
	}
	size := uint32(p.Addr().BitLen() / 8)
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, is([]byte{family}),
		&expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size, DestRegister: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: mask(p), Xor: make([]byte, size)},
		is(p.Addr().AsSlice()),
	}
}

func mask(p netip.Prefix) []byte {
	m := make([]byte, p.Addr().BitLen()/8)
	for bit := range p.Bits() {
		m[bit/8] |= 0x80 >> (bit % 8)
	}
	return m
}

// conntrack matches connections with any of the bits.
func conntrack(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// broadcast matches what goes to many. The kernel routes none of it.
func broadcast() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPKTTYPE, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{packetHost}},
	}
}

// ownNetwork matches what would be routed to where it comes from: the kernel lets its firewall see what passes
// between two ports of one bridge (net.bridge.bridge-nf-call-iptables).
func ownNetwork() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, ResultOIF: true, FlagDADDR: true, FlagIIF: true},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func is(data []byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
