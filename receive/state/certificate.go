package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Certificate is an own one of a domain.
type Certificate struct {
	Host  string
	Chain string // in PEM, the host's first
	Key   string // in PEM; "" unless it was asked for
	Added time.Time
}

// errKey tells of a key that does not open; which domain it is of is told around it.
var errKey = errors.New("the stored key was changed, or belongs to another domain: give the certificate again with 'domains-ssl'")

// Certificates returns those of an app's domains by host, without the keys.
func (s *Store) Certificates(ctx context.Context, app string) ([]Certificate, error) {
	return query(ctx, s, func(r row) (c Certificate, err error) {
		var added int64
		err = r.Scan(&c.Host, &c.Chain, &added)
		c.Added = at(added)
		return c, err
	}, "SELECT c.host, c.chain, c.added FROM certificates c JOIN domains d USING (host) WHERE d.app = ? ORDER BY host", app)
}

// CertificateKeys returns the keys of an app's certificates by host. Those that cannot be opened are left out, and the error names them.
func (s *Store) CertificateKeys(ctx context.Context, app string) (map[string]string, error) {
	type sealed struct {
		id   int64
		host string
		key  []byte
	}
	all, err := query(ctx, s, func(r row) (k sealed, err error) {
		err = r.Scan(&k.id, &k.host, &k.key)
		return k, err
	}, "SELECT a.id, c.host, c.key FROM certificates c JOIN domains d USING (host) JOIN apps a ON a.name = d.app WHERE d.app = ?", app)
	keys := make(map[string]string, len(all))
	for _, k := range all {
		key, closed := s.vault.open(k.id, certificatePlace(k.host), k.key)
		if closed != nil {
			err = errors.Join(err, fmt.Errorf("certificate of %s: %w", k.host, errKey))
			continue
		}
		keys[k.host] = key
	}
	return keys, err
}

// SetCertificate gives a domain of the app its own certificate in place of the one before. ErrNotFound if it is not the app's.
func (s *Store) SetCertificate(ctx context.Context, app string, c Certificate) error {
	return named("domain "+c.Host, s.write(ctx, func(tx *sql.Tx) error {
		var id int64
		err := tx.QueryRowContext(ctx, "SELECT a.id FROM domains d JOIN apps a ON a.name = d.app WHERE d.app = ? AND d.host = ?", app, c.Host).Scan(&id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO certificates (host, chain, key, added) VALUES (?, ?, ?, ?)
			ON CONFLICT (host) DO UPDATE SET chain = excluded.chain, key = excluded.key, added = excluded.added`,
			c.Host, c.Chain, s.vault.seal(id, certificatePlace(c.Host), c.Key), now())
		return err
	}))
}

// RemoveCertificate takes a domain's own certificate away. ErrNotFound if it has none, or is not the app's.
func (s *Store) RemoveCertificate(ctx context.Context, app, host string) error {
	return s.execOne(ctx, "certificate of "+host,
		"DELETE FROM certificates WHERE host = ? AND host IN (SELECT host FROM domains WHERE app = ?)", host, app)
}

// certificatePlace is where a key lies, in the vault's terms: no variable has such a name.
func certificatePlace(host string) string { return "certificate\x00" + host }
