package docker

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// put adds, in the words of nft(8):
//
//	table bridge NAME {
//	    chain forward {
//	        type filter hook forward priority -10
//	        ether saddr != GUEST ether daddr HOST tcp dport PORT drop
//	    }
//	}
//
// The family cannot refuse with an answer on every kernel. What the machine itself sends, its router's requests, is not forwarded.
func (r reservation) put(name string) error {
	c := &nftables.Conn{}
	t := table{conn: c, Table: c.AddTable(&nftables.Table{Family: nftables.TableFamilyBridge, Name: name})}
	t.rule(t.chain("forward", nftables.ChainHookForward),
		[]expr.Any{
			&expr.Payload{Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 6, DestRegister: 1},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: r.guest},
			&expr.Payload{Base: expr.PayloadBaseLLHeader, Offset: 0, Len: 6, DestRegister: 1}, is(r.host),
		},
		protocol(unix.IPPROTO_TCP), destinationPort(r.port), verdict(expr.VerdictDrop))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("table %s of the family bridge: %w", name, err)
	}
	return nil
}

func removeBridgeTable(name string) error {
	c := &nftables.Conn{}
	t := &nftables.Table{Family: nftables.TableFamilyBridge, Name: name}
	c.AddTable(t) // or its removal would be an error if it is not there
	c.DelTable(t)
	return c.Flush()
}

func bridgeTables() (names []string, err error) {
	tables, err := (&nftables.Conn{}).ListTablesOfFamily(nftables.TableFamilyBridge)
	if err != nil {
		return nil, fmt.Errorf("tables of the family bridge: %w", err)
	}
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return names, nil
}
