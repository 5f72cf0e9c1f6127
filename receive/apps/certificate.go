package apps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"boathook/receive/state"

	"golang.org/x/crypto/ssh"
)

// sourceAddress is the one critical option that is understood: the addresses from which a certificate is good, as in OpenSSH's
// PROTOCOL.certkeys. One that is not understood makes a certificate worthless, as that document demands.
const sourceAddress = "source-address"

// certified tells who comes with a certificate: the user who is among its principals. No certificate can be revoked; removing the user, or
// taking the authority out of the configuration, ends those that there are, and otherwise they end by themselves.
func (s *Service) certified(ctx context.Context, c *ssh.Certificate, remote net.Addr) (Caller, error) {
	if err := s.checkCertificate(c, remote); err != nil {
		return Caller{}, err
	}
	user, err := s.principal(ctx, c.ValidPrincipals)
	if err != nil {
		return Caller{}, err
	}
	caller := Caller{
		User: user.Name, Admin: user.Admin, Fingerprint: ssh.FingerprintSHA256(c.Key), Remote: remote.String(),
		Certificate: fmt.Sprintf("ID %q CA %s", c.KeyId, ssh.FingerprintSHA256(c.SignatureKey)),
	}
	if c.ValidBefore != ssh.CertTimeInfinity {
		caller.Until = time.Unix(int64(c.ValidBefore), 0)
	}
	return caller, nil
}

// checkCertificate finds out whether it is one of ours, good now and from there.
func (s *Service) checkCertificate(c *ssh.Certificate, remote net.Addr) error {
	trusted := func(authority ssh.PublicKey) bool { return bytes.Equal(authority.Marshal(), c.SignatureKey.Marshal()) }
	switch {
	case !slices.ContainsFunc(s.cfg.UserCAs, trusted):
		return ErrUnknownKey
	case c.CertType != ssh.UserCert:
		return NoLogin("this is a certificate for hosts: a user's is needed")
	case len(c.ValidPrincipals) == 0:
		return NoLogin("this certificate names nobody: it needs the name of a user as its principal")
	case c.Signature.Format == ssh.KeyAlgoRSA:
		return NoLogin("this certificate is signed with SHA-1: sign it with 'ssh-keygen -t rsa-sha2-512'")
	}
	if err := acceptable(c.Key); err != nil {
		return NoLogin("the key of this certificate: " + err.Error())
	}
	checker := ssh.CertChecker{SupportedCriticalOptions: []string{sourceAddress}}
	if err := checker.CheckCert(c.ValidPrincipals[0], c); err != nil {
		return NoLogin("this certificate is not accepted: " + strings.TrimPrefix(err.Error(), "ssh: "))
	}
	if list, bound := c.CriticalOptions[sourceAddress]; bound && !contains(list, remote) {
		return NoLogin(fmt.Sprintf("this certificate is not good from here: its source-address is %q", list))
	}
	return nil
}

// contains tells whether an address is in a list of addresses and networks, "192.0.2.7,2001:db8::/32". What cannot be read contains nothing.
func contains(list string, remote net.Addr) bool {
	from, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	address := from.Addr().Unmap().WithZone("")
	for entry := range strings.SplitSeq(list, ",") {
		network, err := netip.ParsePrefix(entry)
		if one, single := netip.ParseAddr(entry); single == nil {
			network, err = netip.PrefixFrom(one, one.BitLen()), nil
		}
		if err == nil && network.Contains(address) {
			return true
		}
	}
	return false
}

// principal is the user whom a certificate means. Principals that are nobody's name here, "root-everywhere" for one, are not ours.
func (s *Service) principal(ctx context.Context, names []string) (state.User, error) {
	var found []state.User
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		user, err := s.cfg.Store.User(ctx, name)
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return state.User{}, err
		}
		found = append(found, user)
	}
	switch len(found) {
	case 0:
		return state.User{}, NoLogin(fmt.Sprintf("no principal of this certificate (%q) is the name of a user here", names))
	case 1:
		return found[0], nil
	}
	return state.User{}, NoLogin(fmt.Sprintf("the principals of this certificate are several users, %s and %s: one is needed", found[0].Name, found[1].Name))
}
