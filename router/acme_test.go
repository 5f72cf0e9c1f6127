package router_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
	"boathook/router/acmetest"
)

// house is a router with its doors for HTTP and HTTPS and an authority.
type house struct {
	*front
	authority *acmetest.Authority
	dir       string
	https     string
	doors     [2]net.Listener // for HTTP and HTTPS
	close     func()
}

// port of a listener's address.
func port(t testing.TB, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// listenLocal is closed by who serves it.
func listenLocal(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newHouse starts an authority that asks at the doors whose names are given, "http" and "https".
func newHouse(t *testing.T, validity time.Duration, doors string, on path) *house {
	t.Helper()
	plain, secured, nobody := listenLocal(t), listenLocal(t), port(t, refusing(t, "").Addr)
	asks := acmetest.Config{HTTP: nobody, TLS: nobody, Validity: validity}
	if strings.Contains(doors, "http ") {
		asks.HTTP = port(t, plain.Addr().String())
	}
	if strings.Contains(doors, "https ") {
		asks.TLS = port(t, secured.Addr().String())
	}
	authority, err := acmetest.Start(asks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		authority.Close()
		if t.Failed() {
			t.Log(authority.Log())
		}
	})
	h := &house{authority: authority, dir: filepath.Join(t.TempDir(), "made")}
	h.serve(t, plain, secured, on)
	return h
}

func (h *house) serve(t *testing.T, plain, secured net.Listener, on path) {
	t.Helper()
	r := router.New(router.Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), TLS: &router.TLS{Dir: h.dir, Port: port(t, secured.Addr().String()),
		ACME: &router.ACME{Directory: h.authority.Directory, Roots: h.authority.Server, Email: "ops@example.com"}}})
	server := router.NewServer(r)
	if on == netHTTP {
		router.ForceNetHTTP(server)
	}
	done := make(chan error, 2)
	go func() { done <- server.Serve(plain) }()
	go func() { done <- server.ServeTLS(secured, r.TLSConfig()) }()
	closed := false
	h.close = func() {
		if closed {
			return
		}
		closed = true
		_ = server.Close()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		_ = r.Close()
	}
	t.Cleanup(h.close)
	h.front, h.https, h.doors = &front{r, t, plain.Addr().String()}, secured.Addr().String(), [2]net.Listener{plain, secured}
}

// patiently does again what has failed after as long as a handshake waits for a certificate that is on its way, which is 8 seconds: on a busy machine the
// authority takes longer.
func patiently[T any](do func() (T, error)) (T, error) {
	for deadline := time.Now().Add(2 * time.Minute); ; {
		begun := time.Now()
		got, err := do()
		if err == nil || time.Since(begun) < 7*time.Second || time.Now().After(deadline) {
			return got, err
		}
	}
}

// shake makes a TLS connection for a host, trusting the authority alone. It has time for the host's first certificate.
func (h *house) shake(ctx context.Context, host string) (*x509.Certificate, error) {
	return patiently(func() (*x509.Certificate, error) { return h.shakeOnce(ctx, host) })
}

func (h *house) shakeOnce(ctx context.Context, host string) (*x509.Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: h.authority.Roots}}
	c, err := dialer.DialContext(ctx, "tcp", h.https)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// fetch asks for https://host/ with HTTP/2 or HTTP/1.1.
func (h *house) fetch(host string, http2 bool) (answer, string, error) {
	transport := &http.Transport{
		ForceAttemptHTTP2: http2, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: h.authority.Roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", h.https)
		},
	}
	defer transport.CloseIdleConnections()
	req := (&http.Request{Method: "GET", URL: mustURL("https://" + host + "/"), Header: http.Header{}}).WithContext(h.t.Context())
	res, err := patiently(func() (*http.Response, error) { return transport.RoundTrip(req) })
	if err != nil {
		return answer{}, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, res.Proto, err
}

// TestACME obtains a certificate by each of the two challenges, on both paths, and serves both protocols with it. The app forces HTTPS and has a
// canonical host, which must not be in the way of the authority.
func TestACME(t *testing.T) {
	for _, doors := range []string{"http ", "https ", "http https "} {
		t.Run(strings.TrimSpace(doors), func(t *testing.T) {
			onBothPaths(t, func(t *testing.T, on path) {
				h := newHouse(t, 0, doors, on)
				to := route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
					_, _ = fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"), " ", r.Header.Get("X-Forwarded-Port"))
				}))
				to.Hosts, to.ForceHTTPS, to.Canonical = []string{"shop.test", "www.shop.test"}, true, "shop.test"
				h.Set(to)
				for _, http2 := range []bool{false, true} {
					got, proto, err := h.fetch("shop.test", http2)
					_, port, _ := net.SplitHostPort(h.https)
					if err != nil || got.body != "https "+port || http2 != (proto == "HTTP/2.0") {
						t.Errorf("%s %q, %v", proto, got.body, err)
					}
				}
				if moved := h.get("/a"); moved.header.Get("Location") != "https://shop.test:"+h.https[strings.LastIndexByte(h.https, ':')+1:]+"/a" {
					t.Errorf("redirected to %s", moved.header.Get("Location"))
				}
			})
		})
	}
}

// TestACMENames asks for no certificate but those of hosts in the table by their full names.
func TestACMENames(t *testing.T) {
	h := newHouse(t, 0, "http https ", fast)
	to := route()
	to.Hosts = []string{"shop.test", "*.shop.test", "shop.localhost"}
	h.Set(to)
	if c, err := h.shake(t.Context(), "SHOP.test"); err != nil || strings.Join(c.DNSNames, " ") != "shop.test" {
		t.Fatal(c, err)
	}
	for _, host := range []string{"any.shop.test", "shop.localhost", "other.test"} {
		if _, err := h.shake(t.Context(), host); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%s: %v", host, err)
		}
	}
	conn, err := tls.Dial("tcp", h.https, &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_ = conn.Close()
		t.Error("a handshake without a name was accepted")
	}
	if n := h.authority.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
	h.Remove("shop")
	if _, err := h.shake(t.Context(), "shop.test"); err == nil {
		t.Error("the certificate of a host that has gone is served")
	}
}

// TestACMERename has the certificates follow an app to its new name: that of the new host is obtained, and that of the old one is served no more.
func TestACMERename(t *testing.T) {
	h := newHouse(t, 0, "http https ", fast)
	to := route(app(t, "web-1", says("shop")))
	to.Hosts = []string{"shop.test", "www.example.test"}
	h.Set(to)
	if _, err := h.shake(t.Context(), "shop.test"); err != nil {
		t.Fatal(err)
	}
	to.App, to.Hosts = "store", []string{"store.test", "www.example.test"}
	h.Rename("shop", to)
	for _, host := range []string{"store.test", "www.example.test"} {
		if c, err := h.shake(t.Context(), host); err != nil || strings.Join(c.DNSNames, " ") != host {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := h.shake(t.Context(), "shop.test"); err == nil {
		t.Error("the certificate of the old name is served")
	}
}

// TestACMERestart serves the certificate of before without asking for another, also while the authority is away.
func TestACMERestart(t *testing.T) {
	h := newHouse(t, 0, "http ", fast)
	to := route(app(t, "web-1", says("shop")))
	h.Set(to)
	before, err := h.shake(t.Context(), "shop.test")
	if err != nil {
		t.Fatal(err)
	}
	orders := h.authority.Orders()
	h.close()
	h.authority.Close()
	h.serve(t, listenLocal(t), listenLocal(t), fast)
	h.Set(to)
	after, err := h.shake(t.Context(), "shop.test")
	if err != nil || !after.Equal(before) {
		t.Error("another certificate after a restart", err)
	}
	if n := h.authority.Orders(); n != orders {
		t.Errorf("%d orders after %d", n, orders)
	}
	if s := h.CertificateState("shop.test"); s.Own || s.Err != nil || !s.NotAfter.Equal(after.NotAfter) || !strings.Contains(s.Issuer, "Pebble") {
		t.Errorf("%+v", s)
	}
}

// TestACMEFails serves HTTP while the authority is away, fails the handshake, and tells why.
func TestACMEFails(t *testing.T) {
	h := newHouse(t, 0, "http ", fast)
	h.authority.Close()
	h.Set(route(app(t, "web-1", says("shop"))))
	if got := h.get("/"); got.body != "shop" {
		t.Errorf("HTTP: %d %q", got.status, got.body)
	}
	for range 2 {
		if _, err := h.shake(t.Context(), "shop.test"); err == nil {
			t.Error("a handshake without a certificate")
		}
	}
	if s := h.CertificateState("shop.test"); s.Err == nil || !s.NotAfter.IsZero() || !s.Retry.After(time.Now().Add(time.Minute)) {
		t.Errorf("%+v", s)
	}
}

// TestACMERenews replaces a certificate before its end, with no handshake failing.
func TestACMERenews(t *testing.T) {
	t.Parallel() // it waits most of the time
	h := newHouse(t, time.Minute, "http https ", fast)
	h.Set(route())
	first, err := h.shake(t.Context(), "shop.test")
	if err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, "renewed", func() bool {
		time.Sleep(20 * time.Millisecond) // leaves the processor to others
		now, err := h.shakeOnce(t.Context(), "shop.test")
		if err != nil {
			t.Fatal(err)
		}
		return !now.Equal(first)
	})
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

// own is a certificate for hosts by itself.
func own(t *testing.T, hosts ...string) router.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: hosts, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return router.Certificate{
		Host: hosts[0], Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}
}

// names are what a certificate served for host is for, "" if there is none.
func (h *house) names(host string) string {
	cfg := &tls.Config{ServerName: host, InsecureSkipVerify: true}
	conn, err := patiently(func() (*tls.Conn, error) { return tls.Dial("tcp", h.https, cfg) })
	if err != nil {
		return ""
	}
	defer conn.Close()
	return strings.Join(conn.ConnectionState().PeerCertificates[0].DNSNames, " ")
}

// TestOwnCertificates serves them before all others, to the hosts of their app alone, and asks no authority for those hosts.
func TestOwnCertificates(t *testing.T) {
	h := newHouse(t, 0, "http https ", fast)
	to := route(app(t, "web-1", says("shop")))
	to.Hosts = []string{"shop.test", "*.shop.test", "plain.test"}
	to.Certificates = []router.Certificate{own(t, "shop.test", "a", "other.test"), own(t, "*.shop.test", "b"), {Host: "plain.test", Chain: "nonsense"}}
	h.Set(to)
	other := route()
	other.App, other.Hosts = "other", []string{"other.test"}
	h.Set(other)
	for host, want := range map[string]string{
		"shop.test": "shop.test a other.test", "Shop.TEST": "shop.test a other.test", "any.shop.test": "*.shop.test b", "plain.test": "plain.test", "other.test": "other.test", "a.b.shop.test": "",
	} {
		if got := h.names(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if n := h.authority.Orders(); n != 2 {
		t.Errorf("%d orders", n)
	}
	if s := h.CertificateState("any.shop.test"); !s.Own || s.NotAfter.IsZero() {
		t.Errorf("%+v", s)
	}
	to.Certificates = nil
	h.Set(to)
	if got := h.names("shop.test"); got != "shop.test" {
		t.Errorf("after its end: %q", got)
	}
}

// TestRouteInJSON: a route with certificates says the same after a way through JSON.
func TestRouteInJSON(t *testing.T) {
	before := route(router.Target{Name: "web-1", Addr: "10.0.0.1:80"})
	before.Certificates = []router.Certificate{own(t, "shop.test")}
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after router.Route
	if err := json.Unmarshal(text, &after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// TestACMEMends obtains a new certificate in the place of one whose key is another's, as a backup that was made at the wrong moment leaves it.
func TestACMEMends(t *testing.T) {
	h := newHouse(t, 0, "http https ", fast)
	h.Set(route())
	before, err := h.shake(t.Context(), "shop.test")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob(filepath.Join(h.dir, "certificates", "*", "shop.test", "shop.test.key"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	info, err := os.Stat(h.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	if err := os.WriteFile(keys[0], []byte(own(t, "shop.test").Key), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, secured := another(t, h.doors[0]), another(t, h.doors[1])
	h.close()
	h.serve(t, plain, secured, fast)
	h.Set(route())
	after, err := h.shake(t.Context(), "shop.test")
	if err != nil || after.Equal(before) {
		t.Error("not mended", err)
	}
}

// TestACMEPace asks for no more certificates than the authority takes, and tells of those that wait.
func TestACMEPace(t *testing.T) {
	h := newHouse(t, 0, "http https ", fast)
	router.LimitOrders(h.Router, 2)
	to := route()
	to.Hosts = []string{"a.shop.test", "b.shop.test", "c.shop.test"}
	h.Set(to)
	waits := func() (n int) {
		for _, host := range to.Hosts {
			if s := h.CertificateState(host); s.Err != nil && strings.Contains(s.Err.Error(), "waits for its turn") {
				n++
			}
		}
		return n
	}
	eventually(t, "one waits", func() bool { return waits() == 1 })
	eventually(t, "two were asked for", func() bool { return h.authority.Orders() == 2 })
}
