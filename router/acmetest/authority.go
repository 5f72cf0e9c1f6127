// Package acmetest is a certificate authority for tests: Pebble (RFC 8555), which proves hosts as a real one does, but finds each of them at
// 127.0.0.1 and asks at ports of one's choice.
package acmetest

import (
	"crypto/x509"
	"encoding/pem"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Authority is one. Close it when done.
type Authority struct {
	Directory string         // its URL
	Server    *x509.CertPool // certifies its own server
	Roots     *x509.CertPool // certify what it issues

	orders   atomic.Int64
	proofs   syncBuffer
	resolver *dns.Server
	web      *httptest.Server
	server   []byte // what Server has, in PEM
	roots    []byte // what Roots has, in PEM
}

// Config says how an authority works.
type Config struct {
	HTTP, TLS int           // ports at which it asks for HTTP-01 and TLS-ALPN-01
	Validity  time.Duration // of what it issues, whole seconds; 90 days if 0
}

// Start starts an authority. It sets variables of the environment by which Pebble is told not to wait and not to make mistakes on purpose.
func Start(cfg Config) (*Authority, error) {
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	names, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &Authority{resolver: &dns.Server{Listener: names, Handler: dns.HandlerFunc(resolve)}}
	go func() { _ = a.resolver.ActivateAndServe() }() // ends with Close
	quiet, store := log.New(&a.proofs, "", 0), db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: uint64(cfg.Validity / time.Second)}})
	prover := va.New(quiet, cfg.HTTP, cfg.TLS, false, names.Addr().String(), store)
	front := wfe.New(quiet, store, prover, issuer, []string{"authority.test"}, false, false, 0, 0)
	handler := front.Handler()
	a.web = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/order-plz" {
			a.orders.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	a.Directory = a.web.URL + wfe.DirectoryPath
	a.server = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.web.Certificate().Raw})
	a.roots = issuer.GetRootCert(0).PEM()
	a.Server, a.Roots = x509.NewCertPool(), x509.NewCertPool()
	a.Server.AppendCertsFromPEM(a.server)
	a.Roots.AppendCertsFromPEM(a.roots)
	return a, nil
}

// Orders is how many certificates were asked for.
func (a *Authority) Orders() int { return int(a.orders.Load()) }

// Log is what the authority has done.
func (a *Authority) Log() string { return a.proofs.String() }

// PEM is the certificates of the roots in Server and in Roots.
func (a *Authority) PEM() (server, roots []byte) { return a.server, a.roots }

// Close ends the authority.
func (a *Authority) Close() {
	a.web.Close()
	_ = a.resolver.Shutdown()
}

// resolve answers that every name is 127.0.0.1.
func resolve(w dns.ResponseWriter, question *dns.Msg) {
	answer := new(dns.Msg).SetReply(question)
	for _, q := range question.Question {
		if q.Qtype == dns.TypeA {
			header := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
			answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
		}
	}
	_ = w.WriteMsg(answer) // who has asked asks again
}
