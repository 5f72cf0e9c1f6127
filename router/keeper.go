package router

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

const (
	attemptsAtOnce = 4
	attemptTime    = 5 * time.Minute
	// After a failure an attempt follows in firstRetry, then in twice that, and so on: five in the first hour, which is what Let's Encrypt lets
	// fail for one host.
	firstRetry = 2 * time.Minute
	lastRetry  = 12 * time.Hour
	// nextLook bounds how long the clock is trusted to go as it should.
	nextLook = 10 * time.Minute
)

// keeper has a certificate for each host that is wanted: it obtains them by ACME and renews them when a third of their time is left. What
// it has survives a restart; the authority is asked again only for renewals.
type keeper struct {
	log    *slog.Logger
	magic  *certmagic.Config
	cache  *certmagic.Cache
	issuer *issuer // nil: there is no authority to ask
	wanted func(host string) bool
	daily  func(now time.Time)
	wake   chan struct{}
	ctx    context.Context // of the attempts
	stop   context.CancelFunc
	work   sync.WaitGroup

	changes atomic.Int64 // counts what state may tell anew

	mu     sync.Mutex // guards what follows, and each keptHost
	hosts  map[string]*keptHost
	active int // attempts under way
}

// keptHost is a host whose certificate is kept.
type keptHost struct {
	tried    chan struct{} // closed at the end of the first attempt
	busy     bool
	failures int       // in a row
	next     time.Time // of the next attempt
	err      error     // of the last one
}

// newKeeper starts keeping for r, whose certificates are wanted.
func newKeeper(r *Router) *keeper {
	cfg := r.cfg
	k := &keeper{
		log: cfg.Log, wanted: r.wantsCertificate, daily: r.tellOfEnds, wake: make(chan struct{}, 1), hosts: map[string]*keptHost{},
	}
	storage := &certmagic.FileStorage{Path: cfg.TLS.Dir}
	k.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return k.magic, nil },
		RenewCheckInterval: 100 * 365 * 24 * time.Hour, // attempt renews
		Logger:             zap.NewNop(),
	})
	settings := certmagic.Config{Storage: storage, Logger: zap.NewNop(), DisableARI: true, OCSP: certmagic.OCSPConfig{HTTPProxy: http.ProxyFromEnvironment}}
	if cfg.TLS.ACME != nil {
		acme := *cfg.TLS.ACME
		if acme.Directory == "" {
			acme.Directory = LetsEncrypt
		}
		k.issuer = newIssuer(acme, storage, r.challenges)
		settings.Issuers = []certmagic.Issuer{k.issuer}
	}
	k.magic = certmagic.New(k.cache, settings)
	k.ctx, k.stop = context.WithCancel(context.Background())
	k.work.Go(k.run)
	return k
}

func (k *keeper) close() {
	if k == nil {
		return
	}
	k.stop()
	k.work.Wait()
	k.cache.Stop()
}

// look has the keeper find out whether hosts are wanted now. It does not wait. Calls come one after the other.
func (k *keeper) look(changed ...map[string]bool) {
	if k == nil || k.issuer == nil {
		return
	}
	for _, hosts := range changed {
		for host := range hosts {
			if certifiable(host) && k.wanted(host) {
				k.take(host)
			} else {
				k.drop(host)
			}
		}
	}
	k.nudge()
}

// certifiable tells whether HTTP-01 and TLS-ALPN-01 could prove a host: wildcards need DNS-01, and nobody else knows localhost.
func certifiable(host string) bool {
	return strings.Contains(host, ".") && !strings.HasPrefix(host, "*.") && !strings.HasSuffix(host, ".localhost") && certmagic.SubjectQualifiesForCert(host) &&
		!certmagic.SubjectIsIP(host)
}

func (k *keeper) take(host string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hosts[host] == nil {
		k.hosts[host] = &keptHost{tried: make(chan struct{})}
	}
}

// drop ends keeping. The certificate stays in the storage, for the case that the host comes back.
func (k *keeper) drop(host string) {
	k.mu.Lock()
	of := k.hosts[host]
	delete(k.hosts, host)
	k.mu.Unlock()
	k.changes.Add(1)
	if of != nil {
		k.forget(host)
	}
}

// forget takes a host's certificates out of the cache.
func (k *keeper) forget(host string) {
	k.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: host}})
}

func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run starts attempts when they are due, until close, and does what is done daily.
func (k *keeper) run() {
	told := time.Now()
	for k.ctx.Err() == nil {
		if now := time.Now(); now.Sub(told) > 24*time.Hour {
			k.daily(now)
			told = now
		}
		timer := time.NewTimer(k.start())
		select {
		case <-k.ctx.Done():
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// start starts the attempts that are due, and returns how long there is none.
func (k *keeper) start() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	pause := nextLook
	for host, of := range k.hosts {
		left := time.Until(of.next)
		switch {
		case of.busy || left <= 0 && k.active == attemptsAtOnce: // the end of an attempt wakes run
		case left > 0:
			pause = min(pause, left)
		default:
			of.busy = true
			k.active++
			k.work.Go(func() { k.attempt(host, of) })
		}
	}
	return pause
}

// attempt makes sure that a host has a certificate that is not due for renewal.
func (k *keeper) attempt(host string, of *keptHost) {
	ctx, cancel := context.WithTimeout(k.ctx, attemptTime)
	defer cancel()
	certificate, err := k.obtain(ctx, host)
	k.conclude(host, of, certificate, err)
	k.nudge()
}

// conclude notes how an attempt has ended. If the host has gone meanwhile, the certificate goes as well; if it has come back, the certificate is as good
// as that of the attempt that has begun since.
func (k *keeper) conclude(host string, of *keptHost, certificate certmagic.Certificate, err error) {
	k.mu.Lock()
	current := k.hosts[host] == of
	k.active--
	of.busy, of.err = false, err
	switch {
	case errors.Is(err, errPace): // nobody was asked
		of.next = time.Now().Add(orderPause)
	case err != nil:
		of.next = time.Now().Add(min(firstRetry<<min(of.failures, 20), lastRetry))
		of.failures++
	default:
		of.next, of.failures = due(certificate), 0
	}
	select {
	case <-of.tried:
	default:
		close(of.tried)
	}
	next := of.next
	if k.hosts[host] == nil {
		k.forget(host) // before anybody takes the host again
	}
	k.mu.Unlock()
	k.changes.Add(1)
	if current && err != nil && !errors.Is(err, errPace) && k.ctx.Err() == nil {
		k.log.Error("no certificate", "host", host, "retry", next.UTC().Format(time.RFC3339), "err", err)
	}
}

// due is when a certificate is to be renewed: a third of its time before its end, a moment later lest it were not due yet.
func due(c certmagic.Certificate) time.Time {
	return c.Leaf.NotAfter.Add(-c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)/3 + 1500*time.Millisecond)
}

// obtain has the host's certificate in the cache: the one in the storage, or a new one.
func (k *keeper) obtain(ctx context.Context, host string) (certmagic.Certificate, error) {
	have, err := k.magic.CacheManagedCertificate(ctx, host)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = k.magic.ObtainCertSync(ctx, host)
	case ctx.Err() != nil:
		return have, ctx.Err()
	case err != nil: // a certificate and a key that are not of each other, say
		err = k.magic.RenewCertSync(ctx, host, true)
	case !have.NeedsRenewal(k.magic):
		return have, nil
	default:
		err = k.magic.RenewCertSync(ctx, host, false)
	}
	if err != nil {
		return have, err
	}
	k.log.Info("certificate obtained", "host", host)
	fresh, err := k.magic.CacheManagedCertificate(ctx, host)
	if err == nil && have.Hash() != "" && have.Hash() != fresh.Hash() {
		k.cache.Remove([]string{have.Hash()})
	}
	return fresh, err
}
