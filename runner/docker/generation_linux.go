package docker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// generation is the number of the rules that the kernel has in this network namespace. Every transaction of any program adds one to it
// (NFT_MSG_GETGEN of linux/netfilter/nf_tables.h), so that rules of the same generation are the same rules.
func generation() (uint32, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, fmt.Errorf("generation of the rules: %w", err)
	}
	defer conn.Close() // only read
	answer, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   make([]byte, sizeofNfgenmsg),
	})
	if err != nil {
		return 0, fmt.Errorf("generation of the rules: %w", err)
	}
	for _, message := range answer {
		attributes, err := netlink.NewAttributeDecoder(message.Data[min(sizeofNfgenmsg, len(message.Data)):])
		if err != nil {
			return 0, fmt.Errorf("generation of the rules: %w", err)
		}
		attributes.ByteOrder = binary.BigEndian
		for attributes.Next() {
			if attributes.Type() == unix.NFTA_GEN_ID {
				return attributes.Uint32(), attributes.Err()
			}
		}
	}
	return 0, errors.New("generation of the rules: the kernel does not tell it")
}

// sizeofNfgenmsg is the length of struct nfgenmsg, which begins every message of netfilter.
const sizeofNfgenmsg = 4
