package state

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// vault seals the values of variables and the keys of certificates before they are stored. A sealed value is, in bytes:
//
//	1   version, 1
//	8   id of the key: the beginning of SHA-256("boathook secrets key 1\n" + key)
//	12  nonce, random
//	n   the value in AES-256-GCM; additional data: the app's id (8, big endian), then the variable's name, or certificatePlace
//	16  its tag
//
// So a value opens only in the place it was sealed for. How long it is can be seen. Random nonces are good for 2^32 values
// under one key (NIST SP 800-38D, 8.3).
type vault struct {
	mark []byte // version and id of the key
	aead cipher.AEAD
}

const (
	keySize  = 32 // bytes: AES-256
	markSize = 9
)

var errTampered = errors.New("the stored value was changed, or belongs to another variable: set it again with 'env-set'")

func newVault(key []byte) (*vault, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(append([]byte("boathook secrets key 1\n"), key...))
	return &vault{mark: append([]byte{1}, id[:markSize-1]...), aead: aead}, nil
}

func (v *vault) seal(app int64, name, value string) []byte {
	return v.aead.Seal(bytes.Clone(v.mark), nil, []byte(value), place(app, name))
}

func (v *vault) open(app int64, name string, sealed []byte) (string, error) {
	text, ok := bytes.CutPrefix(sealed, v.mark)
	if !ok {
		return "", errTampered
	}
	value, err := v.aead.Open(nil, nil, text, place(app, name))
	if err != nil {
		return "", errTampered
	}
	return string(value), nil
}

// place is the one row in which a value may lie.
func place(app int64, name string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(app)), name...)
}

// unlock gives the store its vault. A key is made only while nothing needs one: values sealed with a key that is away would be
// lost without anybody noticing.
func (s *Store) unlock(ctx context.Context, version int) error {
	marks, err := s.marks(ctx, version)
	if err != nil {
		return err
	}
	path := s.keyFile()
	key, err := loadKey(path, len(marks) == 0)
	if err != nil {
		return err
	}
	if s.vault, err = newVault(key); err != nil {
		return err
	}
	for _, mark := range marks {
		if !bytes.Equal(mark, s.vault.mark) {
			return fmt.Errorf("%s is not the key that the variables in %s were sealed with: put the file back that belongs to this database, from a backup", path, s.path)
		}
	}
	return nil
}

// marks are the beginnings of all that is sealed in a database of that schema, each once.
func (s *Store) marks(ctx context.Context, version int) (marks [][]byte, err error) {
	columns := []struct {
		since int
		query string
	}{
		{2, "SELECT DISTINCT substr(value, 1, ?) FROM variables"},
		{8, "SELECT DISTINCT substr(key, 1, ?) FROM certificates"},
	}
	for _, c := range columns {
		if version < c.since {
			break
		}
		some, err := query(ctx, s, func(r row) (mark []byte, err error) {
			err = r.Scan(&mark)
			return mark, err
		}, c.query, markSize)
		if err != nil {
			return nil, err
		}
		marks = append(marks, some...)
	}
	return marks, nil
}
