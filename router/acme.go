package router

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"golang.org/x/time/rate"
)

// LetsEncrypt is the directory that certificates are asked for at if ACME names no other.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// ACME says where certificates come from (RFC 8555). Who sets it agrees to the terms of the authority. Hosts are proved by HTTP-01 (RFC 8555,
// 8.3) and TLS-ALPN-01 (RFC 8737), so the authority has to reach this router at port 80 or 443 of each host.
type ACME struct {
	Directory string         // URL of the authority; LetsEncrypt if empty
	Roots     *x509.CertPool // who may certify the authority's own server; nil: those of the system
	Email     string         // that the authority may write to; may be empty
}

// issuer asks the authority for one certificate at a time: certmagic.Issuer. It does not try again.
type issuer struct {
	cfg         ACME
	storage     certmagic.Storage
	http        *http.Client
	challenges  *challenges
	registering chan struct{} // holds one token while the account is looked for
	orders      *rate.Limiter
}

// Whoever may add domains could have the account locked out for all. Let's Encrypt takes 300 orders in 3 hours.
const (
	orderPause = 36 * time.Second
	orderBurst = 100
)

var errPace = errors.New("many certificates were asked for just before: this one waits for its turn")

func newIssuer(cfg ACME, storage certmagic.Storage, challenges *challenges) *issuer {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: cfg.Roots},
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 10 * time.Second,
	}
	return &issuer{
		cfg: cfg, storage: storage, challenges: challenges, registering: make(chan struct{}, 1),
		orders: rate.NewLimiter(rate.Every(orderPause), orderBurst),
		http:   &http.Client{Transport: transport, Timeout: 30 * time.Second},
	}
}

// IssuerKey is the name of the authority in the storage: "acme-v02.api.letsencrypt.org-directory".
func (i *issuer) IssuerKey() string {
	at, err := url.Parse(i.cfg.Directory)
	if err != nil {
		return "acme"
	}
	return strings.ReplaceAll(at.Host+strings.TrimSuffix(at.Path, "/"), "/", "-")
}

// Issue carries out one order.
func (i *issuer) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if !i.orders.Allow() {
		return nil, errPace
	}
	client := &acmez.Client{
		Client: &acme.Client{Directory: i.cfg.Directory, HTTPClient: i.http, UserAgent: "boathook", PollTimeout: time.Minute},
		ChallengeSolvers: map[string]acmez.Solver{
			acme.ChallengeTypeHTTP01: i.challenges, acme.ChallengeTypeTLSALPN01: i.challenges,
		},
	}
	issued, err := i.order(ctx, client, request)
	var problem acme.Problem
	if errors.As(err, &problem) && problem.Type == acme.ProblemTypeAccountDoesNotExist {
		if err := i.storage.Delete(ctx, i.accountKey()); err != nil {
			return nil, err
		}
		return i.order(ctx, client, request)
	}
	return issued, err
}

func (i *issuer) order(ctx context.Context, client *acmez.Client, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	account, err := i.account(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	order, err := acmez.OrderParametersFromCSR(account, request)
	if err != nil {
		return nil, err
	}
	chains, err := client.ObtainCertificate(ctx, order)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: chains[0].ChainPEM, Metadata: chains[0]}, nil
}

// account is the one that is kept, or a new one.
func (i *issuer) account(ctx context.Context, client *acmez.Client) (acme.Account, error) {
	select {
	case i.registering <- struct{}{}:
		defer func() { <-i.registering }()
	case <-ctx.Done():
		return acme.Account{}, ctx.Err()
	}
	text, err := i.storage.Load(ctx, i.accountKey())
	if errors.Is(err, fs.ErrNotExist) {
		return i.register(ctx, client)
	}
	if err != nil {
		return acme.Account{}, err
	}
	return readAccount(text)
}

// keptAccount is an account in the storage, as JSON.
type keptAccount struct {
	Account acme.Account `json:"account"`
	Key     []byte       `json:"key"` // in PEM
}

func readAccount(text []byte) (acme.Account, error) {
	var kept keptAccount
	if err := json.Unmarshal(text, &kept); err != nil {
		return acme.Account{}, err
	}
	key, err := certmagic.PEMDecodePrivateKey(kept.Key)
	kept.Account.PrivateKey = key
	return kept.Account, err
}

// register makes an account and keeps it.
func (i *issuer) register(ctx context.Context, client *acmez.Client) (acme.Account, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return acme.Account{}, err
	}
	account := acme.Account{TermsOfServiceAgreed: true, PrivateKey: key}
	if i.cfg.Email != "" {
		account.Contact = []string{"mailto:" + i.cfg.Email}
	}
	if account, err = client.NewAccount(ctx, account); err != nil {
		return account, err
	}
	return account, i.keep(ctx, account, key)
}

func (i *issuer) keep(ctx context.Context, account acme.Account, key crypto.PrivateKey) error {
	secret, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return err
	}
	text, err := json.Marshal(keptAccount{account, secret})
	if err != nil {
		return err
	}
	return i.storage.Store(ctx, i.accountKey(), text)
}

// accountKey is where the account is kept: another address is another account.
func (i *issuer) accountKey() string {
	name := "account"
	if i.cfg.Email != "" {
		name = certmagic.StorageKeys.Safe(i.cfg.Email)
	}
	return "acme/" + i.IssuerKey() + "/" + name + ".json"
}
