package apps

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// issued is a certificate with its key.
type issued struct {
	*x509.Certificate
	key crypto.Signer
}

// issue makes a certificate by the issuer, by itself if that is zero.
func issue(t *testing.T, by issued, key crypto.Signer, edit func(*x509.Certificate)) issued {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"shop.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), BasicConstraintsValid: true,
	}
	edit(template)
	if by.Certificate == nil {
		by = issued{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{c, key}
}

func curveKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i issued) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Raw}))
}

func keyPEM(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func certifier(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName, c.DNSNames, c.IsCA, c.KeyUsage = name, nil, true, x509.KeyUsageCertSign
	}
}

func TestSetCertificate(t *testing.T) {
	key := curveKey(t, elliptic.P256())
	asIs := func(*x509.Certificate) {}
	root := issue(t, issued{}, curveKey(t, elliptic.P256()), certifier("root"))
	middle := issue(t, root, curveKey(t, elliptic.P256()), certifier("middle"))
	good := issue(t, middle, key, asIs)
	stranger := issue(t, issued{}, curveKey(t, elliptic.P256()), certifier("stranger"))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small := curveKey(t, elliptic.P224())
	with := func(edit func(*x509.Certificate)) string { return issue(t, middle, key, edit).pem() + keyPEM(t, key) }
	for _, row := range []struct{ name, host, text, want string }{
		{"in order", "shop.example.org", good.pem() + middle.pem() + keyPEM(t, key), ""},
		{"in disorder, with the root and twice", "SHOP.example.org.", "Bag Attributes\n" + root.pem() + keyPEM(t, key) + middle.pem() + good.pem() + good.pem(), ""},
		{"wildcard", "*.example.net", with(func(c *x509.Certificate) { c.DNSNames = []string{"*.example.net"} }), ""},
		{"wildcard for a name", "shop.example.org", with(func(c *x509.Certificate) { c.DNSNames = []string{"*.example.org"} }), ""},
		{"name for a wildcard", "*.example.net", with(func(c *x509.Certificate) { c.DNSNames = []string{"a.example.net"} }), "the certificate is for a.example.net, not for *.example.net"},
		{"other name", "shop.example.org", with(func(c *x509.Certificate) { c.DNSNames = []string{"shop.example.com"} }), "is for shop.example.com, not for shop.example.org"},
		{"no name", "shop.example.org", with(func(c *x509.Certificate) { c.DNSNames = nil }), "is for no name, not for"},
		{"expired", "shop.example.org", with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "has expired at"},
		{"not yet", "shop.example.org", with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "is valid from"},
		{"for clients", "shop.example.org", with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "is not for servers"},
		{"other key", "shop.example.org", good.pem() + keyPEM(t, curveKey(t, elliptic.P256())), "the key is not that of the certificate"},
		{"two keys", "shop.example.org", good.pem() + keyPEM(t, key) + keyPEM(t, small), "there are two keys"},
		{"no key", "shop.example.org", good.pem(), "there is no key"},
		{"no certificate", "shop.example.org", keyPEM(t, key), "there is no certificate"},
		{"nothing", "shop.example.org", "", "there is no certificate"},
		{"foreign certificate", "shop.example.org", good.pem() + stranger.pem() + keyPEM(t, key), `the certificate of "CN=stranger" is not of the chain`},
		{"small RSA", "shop.example.org", issue(t, middle, weak, asIs).pem() + keyPEM(t, weak), "the key is RSA with 1024 bits"},
		{"small ECDSA", "shop.example.org", issue(t, middle, small, asIs).pem() + keyPEM(t, small), "the key is ECDSA P-224"},
		{"locked key", "shop.example.org", good.pem() + "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "locked with a passphrase"},
		{"broken key", "shop.example.org", good.pem() + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the key cannot be read"},
		{"broken certificate", "shop.example.org", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate cannot be read"},
		{"no domain", "other.example.org", good.pem() + keyPEM(t, key), `my-app has no domain "other.example.org"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.must(w.store.AddDomain(t.Context(), "my-app", "shop.example.org"))
			w.must(w.store.AddDomain(t.Context(), "my-app", "*.example.net"))
			_, err := w.SetCertificate(t.Context(), olga, "my-app", row.host, []byte(row.text))
			wantText(t, err, row.want)
			kept, err := w.store.Certificates(t.Context(), "my-app")
			w.must(err)
			if (len(kept) == 1) != (row.want == "") {
				t.Fatalf("%d certificates are kept", len(kept))
			}
			if row.want != "" {
				return
			}
			keys, err := w.store.CertificateKeys(t.Context(), "my-app")
			w.must(err)
			served, err := tls.X509KeyPair([]byte(kept[0].Chain), []byte(keys[kept[0].Host]))
			w.must(err)
			if len(w.runtime.rerouted) != 1 || strings.Contains(row.text, middle.pem()) && !bytes.Equal(served.Certificate[1], middle.Raw) {
				t.Errorf("rerouted %v, a chain of %d", w.runtime.rerouted, len(served.Certificate))
			}
		})
	}
}

// TestOwnCertificateEnds tells of one whose end is near.
func TestOwnCertificateEnds(t *testing.T) {
	key := curveKey(t, elliptic.P256())
	c := issue(t, issued{}, key, func(*x509.Certificate) {})
	for before, want := range map[time.Duration]string{
		30 * 24 * time.Hour: "", 13 * 24 * time.Hour: "expires in 13 days: give the next one", 0: "has expired",
	} {
		got := describe(c.Certificate, c.NotAfter.Add(-before))
		if !strings.HasPrefix(got.Problem, want) || (want == "") != (got.Problem == "") {
			t.Errorf("%v before: %q", before, got.Problem)
		}
	}
}
