package router_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"boathook/router"
)

// responder is an OCSP responder on loopback and a certificate that names it.
type responder struct {
	url         string
	asked       atomic.Int64
	status      int // that it tells
	certificate router.Certificate
}

func newResponder(t *testing.T, status int) *responder {
	t.Helper()
	root, leaf := newKeyPair(t), newKeyPair(t)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed := func(template, by *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, by, public, root)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	authority = signed(authority, authority, root.Public())
	r := &responder{status: status}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.asked.Add(1)
		text, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		question, err := ocsp.ParseRequest(text)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := ocsp.CreateResponse(authority, authority, ocsp.Response{
			Status: r.status, SerialNumber: question.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		}, root)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	c := signed(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"shop.test"}, NotAfter: time.Now().Add(time.Hour), OCSPServer: []string{server.URL},
	}, authority, leaf.Public())
	secret, err := x509.MarshalPKCS8PrivateKey(leaf)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	r.url = server.URL
	r.certificate = router.Certificate{
		Host: "shop.test", Chain: block("CERTIFICATE", c.Raw) + block("CERTIFICATE", authority.Raw), Key: block("PRIVATE KEY", secret),
	}
	return r
}

func newKeyPair(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// staple is what a handshake for shop.test brings of OCSP.
func staple(t *testing.T, r *router.Router) []byte {
	t.Helper()
	l, server := listenLocal(t), router.NewServer(r)
	done := make(chan error)
	go func() { done <- server.ServeTLS(l, r.TLSConfig()) }()
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: "shop.test", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	text := conn.ConnectionState().OCSPResponse
	_ = conn.Close()
	_ = server.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return text
}

// TestStaple has the answer of its responder with an own certificate, if that is good, and asks once.
func TestStaple(t *testing.T) {
	for status, good := range map[int]bool{ocsp.Good: true, ocsp.Revoked: false, ocsp.Unknown: false} {
		responder := newResponder(t, status)
		r := router.New(router.Config{})
		router.StapleWith(r, http.DefaultClient)
		to := route()
		to.Certificates = []router.Certificate{responder.certificate}
		r.Set(to)
		if good {
			eventually(t, "stapled", func() bool { return len(staple(t, r)) > 0 })
		} else {
			eventually(t, "asked", func() bool { return responder.asked.Load() > 0 })
		}
		r.Set(to)
		if got := staple(t, r); (len(got) > 0) != good || responder.asked.Load() != 1 {
			t.Errorf("status %d: stapled %d bytes, asked %d times", status, len(got), responder.asked.Load())
		}
		_ = r.Close()
	}
}

// TestStapleStaysAway asks no responder on this machine or in its neighbourhood: whoever gives a certificate has named it.
func TestStapleStaysAway(t *testing.T) {
	for address, far := range map[string]bool{
		"192.0.2.1:80": true, "[2001:db8::1]:443": true,
		"127.0.0.1:80": false, "[::1]:80": false, "10.1.2.3:80": false, "192.168.1.1:443": false, "172.17.0.1:80": false, "169.254.169.254:80": false,
		"100.64.0.1:80": false, "0.0.0.0:80": false, "[::ffff:127.0.0.1]:80": false, "[fd00::1]:80": false, "[fe80::1]:80": false, "224.0.0.1:80": false,
		"192.0.2.1:22": false, "192.0.2.1:8080": false,
	} {
		if err := router.FarAway(address); (err == nil) != far {
			t.Errorf("%s: %v", address, err)
		}
	}
	responder := newResponder(t, ocsp.Good)
	log := make(lines, 100)
	r := router.New(router.Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	to := route()
	to.Certificates = []router.Certificate{responder.certificate}
	r.Set(to)
	<-log // that it ends within the hour
	if line := <-log; !strings.Contains(line, "only port 80 and 443 of public addresses are asked") {
		t.Error(line)
	}
	if responder.asked.Load() != 0 || len(staple(t, r)) > 0 {
		t.Error("a responder on loopback was asked")
	}
	_ = r.Close()
}

// lines is a log of which each line is received.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestOwnCertificateEndIsTold warns of an own certificate whose end is near, once a day.
func TestOwnCertificateEndIsTold(t *testing.T) {
	log := make(lines, 100)
	r := router.New(router.Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	to := route()
	to.Certificates = []router.Certificate{own(t, "shop.test")}
	r.Set(to)
	r.Set(to)
	router.TellOfEnds(r, time.Now())
	router.TellOfEnds(r, time.Now().Add(2*time.Hour))
	for _, want := range []string{"certificate ends soon", "certificate ends soon", "certificate has ended"} {
		if line := <-log; !strings.Contains(line, want) || !strings.Contains(line, "host=shop.test") {
			t.Error(line)
		}
	}
	if len(log) > 0 {
		t.Error(<-log)
	}
	_ = r.Close()
}
