package router

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// storeCertificate leaves one for a host where the keeper finds it, and asks nobody for another.
func storeCertificate(t *testing.T, k *keeper, host string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keys, by := certmagic.StorageKeys, k.issuer.IssuerKey()
	for at, text := range map[string][]byte{
		keys.SiteCert(by, host):       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keys.SitePrivateKey(by, host): secret,
		keys.SiteMeta(by, host):       []byte("{}"),
	} {
		if err := k.magic.Storage.Store(t.Context(), at, text); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHostComesBack takes a host again while an attempt from before is under way: when that ends, the certificate which the host has got since stays.
// That of a host that does not come back goes.
func TestHostComesBack(t *testing.T) {
	const host = "shop.test"
	r := New(Config{TLS: &TLS{Dir: t.TempDir(), ACME: &ACME{}}})
	defer r.Close()
	k := r.keeper // which nobody nudges: it makes no attempt by itself
	storeCertificate(t, k, host)
	begin := func() *keptHost {
		k.take(host)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.active++
		return k.hosts[host]
	}
	first := begin()
	k.drop(host)
	second := begin()
	certificate, err := k.obtain(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	k.conclude(host, second, certificate, nil)
	k.conclude(host, first, certmagic.Certificate{}, errors.New("the authority is away"))
	if k.cached(host) == nil {
		t.Error("the certificate of a host that came back has gone")
	}
	k.drop(host)
	third := begin()
	k.drop(host)
	if certificate, err = k.obtain(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	k.conclude(host, third, certificate, nil)
	if k.cached(host) != nil {
		t.Error("the certificate of a host that has gone stays")
	}
}

// TestTurns: to wait for one's turn is no failure, after which an attempt would follow later each time.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{log: slog.New(slog.DiscardHandler), ctx: t.Context()}
		of := &keptHost{tried: make(chan struct{})}
		k.hosts = map[string]*keptHost{"shop.test": of}
		begin := time.Now()
		for _, step := range []struct {
			err  error
			wait time.Duration
		}{
			{fmt.Errorf("obtain: %w", errPace), orderPause}, {fmt.Errorf("obtain: %w", errPace), orderPause}, {errors.New("no"), firstRetry},
			{fmt.Errorf("obtain: %w", errPace), orderPause}, {errors.New("no"), 2 * firstRetry}, {errors.New("no"), 4 * firstRetry},
		} {
			k.conclude("shop.test", of, certmagic.Certificate{}, step.err)
			if wait := of.next.Sub(begin); wait != step.wait {
				t.Errorf("after %v the next attempt comes in %s, want %s", step.err, wait, step.wait)
			}
		}
		for range 20 {
			k.conclude("shop.test", of, certmagic.Certificate{}, errors.New("no"))
		}
		if wait := of.next.Sub(begin); wait != lastRetry {
			t.Errorf("in the end it comes in %s", wait)
		}
	})
}
