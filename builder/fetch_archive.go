package builder

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// maxArchive bounds a downloaded buildpack, in bytes.
const maxArchive = 500 << 20

// fetchArchive downloads a .tgz to home/SHA256.tgz and returns the entry's name.
func (c *buildpackCache) fetchArchive(ctx context.Context, a address, home string) (string, error) {
	body, err := c.openArchive(ctx, a)
	if err != nil {
		return "", unreachable(ctx, a, err)
	}
	defer body.Close()
	tmp, err := os.CreateTemp(home, "tmp-")
	if err != nil {
		return "", fmt.Errorf("buildpack cache: %w", err)
	}
	defer os.Remove(tmp.Name()) // gone already when the rename succeeded
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(body, maxArchive+1))
	if n > maxArchive {
		err = fmt.Errorf("more than %d bytes", maxArchive)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return "", unreachable(ctx, a, err)
	}
	name := hex.EncodeToString(sum.Sum(nil)) + ".tgz"
	if err := os.Rename(tmp.Name(), filepath.Join(home, name)); err != nil {
		return "", fmt.Errorf("buildpack cache: %w", err)
	}
	return name, nil
}

// openArchive opens the body of an http, https or file URL.
func (c *buildpackCache) openArchive(ctx context.Context, a address) (io.ReadCloser, error) {
	u, err := url.Parse(a.url)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return os.Open(u.Path)
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("the server answered %s", res.Status), res.Body.Close())
	}
	return res.Body, nil
}

// transport is a client side without idle connections, with the configured proxy and authorities.
func (c *buildpackCache) transport() (*http.Transport, error) {
	t := &http.Transport{DisableKeepAlives: true}
	if c.cfg.Proxy != "" {
		proxy, err := url.Parse(c.cfg.Proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	if c.cfg.CAFile != "" {
		pem, err := os.ReadFile(c.cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificate authorities: %s has no certificate", c.cfg.CAFile)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t, nil
}
