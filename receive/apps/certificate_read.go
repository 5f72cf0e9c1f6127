package apps

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"boathook/receive/state"
)

// pair is what somebody has given for a certificate: in PEM, in any order.
type pair struct {
	certificates []*x509.Certificate
	key          crypto.Signer
}

// readPair reads a private key and one or more certificates.
func readPair(text []byte) (p pair, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return p, invalidf("a certificate cannot be read (%v): give it in PEM, as the authority has sent it", err)
			}
			if !slices.ContainsFunc(p.certificates, c.Equal) {
				p.certificates = append(p.certificates, c)
			}
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return p, invalidf("the key is locked with a passphrase: take that away with 'openssl pkey -in KEY -out PLAIN'")
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && p.key != nil:
			return p, invalidf("there are two keys: give the one of the certificate alone")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if p.key, err = readPrivateKey(block.Bytes); err != nil {
				return p, err
			}
		}
	}
	switch {
	case len(p.certificates) == 0:
		return p, invalidf("there is no certificate: give it in PEM, it begins with -----BEGIN CERTIFICATE-----, and the key after it")
	case p.key == nil:
		return p, invalidf("there is no key: give it in PEM after the certificate, it begins with -----BEGIN PRIVATE KEY-----")
	}
	return p, nil
}

// readPrivateKey reads a key in one of the forms that programs write: PKCS #8, SEC 1, PKCS #1.
func readPrivateKey(der []byte) (crypto.Signer, error) {
	var key any
	var err error
	for _, parse := range []func() (any, error){
		func() (any, error) { return x509.ParsePKCS8PrivateKey(der) },
		func() (any, error) { return x509.ParseECPrivateKey(der) },
		func() (any, error) { return x509.ParsePKCS1PrivateKey(der) },
	} {
		if key, err = parse(); err == nil {
			break
		}
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, invalidf("the key cannot be read: give it in PEM, as PKCS #8, SEC 1 or PKCS #1")
	}
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 8192 {
			return nil, invalidf("the key is RSA with %d bits: use one with 2048 to 8192, or ECDSA P-256", bits)
		}
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P224() {
			return nil, invalidf("the key is ECDSA P-224, which browsers do not take: use P-256")
		}
	}
	return signer, nil
}

// chain is the certificates in the order in which they are served: that of the key first, then each one's issuer (RFC 8446, 4.4.2).
func (p pair) chain() ([]*x509.Certificate, error) {
	public := p.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	left := slices.Clone(p.certificates)
	i := slices.IndexFunc(left, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	if i < 0 {
		return nil, invalidf("the key is not that of the certificate: give the one that the request for it was made with")
	}
	var chain []*x509.Certificate
	for i >= 0 {
		last := left[i]
		chain, left = append(chain, last), slices.Delete(left, i, i+1)
		i = slices.IndexFunc(left, func(c *x509.Certificate) bool { return last.CheckSignatureFrom(c) == nil })
	}
	if len(left) > 0 {
		return nil, invalidf("the certificate of %q is not of the chain: give that of the host and those of its issuers only", left[0].Subject.String())
	}
	return chain, nil
}

// fits refuses a certificate that clients of the host would.
func fits(c *x509.Certificate, host string, now time.Time) error {
	covers := slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, host) })
	if !covers && !strings.HasPrefix(host, "*.") {
		covers = c.VerifyHostname(host) == nil
	}
	server := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	switch {
	case !covers:
		return invalidf("the certificate is for %s, not for %s: ask for one with that name", cmp.Or(strings.Join(c.DNSNames, ", "), "no name"), host)
	case now.After(c.NotAfter):
		return invalidf("the certificate has expired at %s: get a new one", c.NotAfter.UTC().Format(time.DateTime))
	case now.Before(c.NotBefore):
		return invalidf("the certificate is valid from %s on only: come back then", c.NotBefore.UTC().Format(time.DateTime))
	case !server:
		return invalidf("the certificate is not for servers: ask for one with the key usage serverAuth")
	}
	return nil
}

// stored is what is kept of the pair for a host.
func (p pair) stored(host string, now time.Time) (state.Certificate, *x509.Certificate, error) {
	chain, err := p.chain()
	if err != nil {
		return state.Certificate{}, nil, err
	}
	if err := fits(chain[0], host, now); err != nil {
		return state.Certificate{}, nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return state.Certificate{}, nil, err
	}
	c := state.Certificate{Host: host, Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))}
	for _, one := range chain {
		c.Chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw}))
	}
	return c, chain[0], nil
}
