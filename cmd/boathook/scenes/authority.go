package scenes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"boathook/router/acmetest"
)

// cmdAuthority starts a certificate authority: authority [VALIDITY]. It sets HTTP_PORT and HTTPS_PORT, where it looks for the router, and
// ACME_CA, its directory. The roots of its server are in server.pem, those of what it issues in issued.pem.
func cmdAuthority(ts *testscript.TestScript, neg bool, args []string) {
	cfg := acmetest.Config{HTTP: quietPort(ts), TLS: quietPort(ts)}
	if len(args) > 0 {
		validity, err := time.ParseDuration(args[0])
		ts.Check(err)
		cfg.Validity = validity
	}
	authority, err := acmetest.Start(cfg)
	ts.Check(err)
	sceneOf(ts).authority = authority
	ts.Defer(authority.Close)
	server, issued := authority.PEM()
	for name, text := range map[string][]byte{"server.pem": server, "issued.pem": issued} {
		ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), name), text, 0o600))
	}
	ts.Setenv("HTTP_PORT", strconv.Itoa(cfg.HTTP))
	ts.Setenv("HTTPS_PORT", strconv.Itoa(cfg.TLS))
	ts.Setenv("ACME_CA", authority.Directory)
}

// cmdOrders wants that the authority was asked so many times: orders N.
func cmdOrders(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.Itoa(sceneOf(ts).authority.Orders()); got != args[0] {
		ts.Fatalf("%s orders, not %s", got, args[0])
	}
}

// cmdEndAuthority has the authority go away.
func cmdEndAuthority(ts *testscript.TestScript, neg bool, args []string) {
	sceneOf(ts).authority.Close()
}

// cmdCertificate makes a certificate of a host by itself, and its key: certificate HOST CERT KEY.
func cmdCertificate(ts *testscript.TestScript, neg bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ours"}, DNSNames: args[:1], NotAfter: time.Now().Add(60 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for i, block := range []pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: secret}} {
		ts.Check(os.WriteFile(ts.MkAbs(args[i+1]), pem.EncodeToMemory(&block), 0o600))
	}
}
