package state

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keyFile is beside the database:
//
//	# what it is, in lines that begin with #
//	boathook-key-1 BASE64 of 32 bytes
func (s *Store) keyFile() string { return filepath.Join(filepath.Dir(s.path), "secrets.key") }

const (
	keyPrefix = "boathook-key-1 "
	keyHead   = "# The key to the variables and certificates in boathook.db. Without it they are lost; whoever has both files can read them.\n"
)

// loadKey reads the key, or makes one if there is none and may be one.
func loadKey(path string, mayMake bool) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && mayMake {
		return makeKey(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing, without which the variables of the apps cannot be read: put it back from a backup", path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %#o): run 'chmod 600 %s'", path, info.Mode().Perm(), path)
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), keyPrefix)
		if key, err := base64.StdEncoding.DecodeString(text); ok && err == nil && len(key) == keySize {
			return key, nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s holds no key: put it back from a backup", path)
}

// makeKey writes a new key so that the path holds a whole one or none, and returns when a power cut cannot take it away again.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".new-key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name()) // gone already if all went well
	_, err = file.WriteString(keyHead + keyPrefix + base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return nil, err
	}
	return key, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
