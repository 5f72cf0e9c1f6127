package router

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

// stapler gets the answers of OCSP responders (RFC 6960) for the apps' own certificates, ahead of their handshakes. A certificate without an answer
// is served all the same.
type stapler struct {
	log    *slog.Logger
	client *http.Client
	wake   chan struct{}
	ctx    context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex // guards what follows, and each stapled
	have    map[*tls.Certificate]*stapled
	started bool // run
}

// stapled is a certificate with its answer.
type stapled struct {
	with *tls.Certificate // nil as long as there is no answer
	ends time.Time        // of the answer
	next time.Time        // when to ask again
}

const (
	staplePause = time.Hour // after a failure
	stapleSize  = 64 << 10  // bytes of an answer
)

func newStapler(log *slog.Logger) *stapler {
	s := &stapler{log: log, client: newFarClient(), wake: make(chan struct{}, 1), have: map[*tls.Certificate]*stapled{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

func (s *stapler) close() {
	s.mu.Lock() // orders this after or before replace
	s.stop()
	s.mu.Unlock()
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// replace has the stapler look after certificates in the place of others. It does not wait.
func (s *stapler) replace(before, now map[string]*tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := make(map[*tls.Certificate]bool, len(now))
	for _, c := range now {
		kept[c] = true
		if s.have[c] == nil && len(c.Leaf.OCSPServer) > 0 && len(c.Certificate) > 1 {
			s.have[c] = &stapled{}
		}
	}
	if len(s.have) > 0 && !s.started && s.ctx.Err() == nil {
		s.started = true
		s.work.Go(s.run)
	}
	for _, c := range before {
		if !kept[c] {
			delete(s.have, c)
		}
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// of is the certificate as it is to be served.
func (s *stapler) of(c *tls.Certificate) *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.have[c]; of != nil && of.with != nil && time.Now().Before(of.ends) {
		return of.with
	}
	return c
}

// run asks responders when it is time, one after another, until close.
func (s *stapler) run() {
	for s.ctx.Err() == nil {
		c, left := s.first()
		if c != nil && left <= 0 {
			s.ask(c)
			continue
		}
		timer := time.NewTimer(left)
		select {
		case <-s.ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// first is the certificate whose turn is next, and how long it has.
func (s *stapler) first() (c *tls.Certificate, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left = nextLook
	for one, of := range s.have {
		if until := time.Until(of.next); until < left {
			c, left = one, until
		}
	}
	return c, left
}

// ask gets the answer for a certificate.
func (s *stapler) ask(c *tls.Certificate) {
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	text, answer, err := s.fetch(ctx, c)
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("no OCSP answer for a certificate", "hosts", c.Leaf.DNSNames, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.have[c]
	if of == nil {
		return
	}
	of.next = time.Now().Add(staplePause)
	if err != nil {
		return
	}
	with := *c
	with.OCSPStaple = text
	of.with, of.ends = &with, answer.NextUpdate
	if half := answer.ThisUpdate.Add(answer.NextUpdate.Sub(answer.ThisUpdate) / 2); half.After(of.next) {
		of.next = half
	}
}

// fetch asks the responder that the certificate names.
func (s *stapler) fetch(ctx context.Context, c *tls.Certificate) ([]byte, *ocsp.Response, error) {
	issuer, err := x509.ParseCertificate(c.Certificate[1])
	if err != nil {
		return nil, nil, err
	}
	question, err := ocsp.CreateRequest(c.Leaf, issuer, nil)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Leaf.OCSPServer[0], bytes.NewReader(question))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the responder answered %s", res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, stapleSize))
	if err != nil {
		return nil, nil, err
	}
	answer, err := goodAnswer(text, c.Leaf, issuer)
	return text, answer, err
}

// goodAnswer is one that says that the certificate is good, and until when.
func goodAnswer(text []byte, leaf, issuer *x509.Certificate) (*ocsp.Response, error) {
	answer, err := ocsp.ParseResponseForCert(text, leaf, issuer)
	switch {
	case err != nil:
		return nil, err
	case answer.Certificate != nil && !answer.Certificate.Equal(issuer) && !slices.Contains(answer.Certificate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return nil, errors.New("whoever signed the answer may not (RFC 6960, 4.2.2.2)")
	case answer.Status == ocsp.Revoked:
		return nil, errors.New("the certificate is revoked: give another one with 'domains-ssl'")
	case answer.Status != ocsp.Good:
		return nil, errors.New("the responder does not know the certificate")
	case !time.Now().Before(answer.NextUpdate):
		return nil, errors.New("the responder's answer is too old, or has no end")
	}
	return answer, nil
}
