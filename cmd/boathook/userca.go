package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/crypto/ssh"

	"boathook/receive/apps"
)

// readUserCAs reads the authorities whose certificates log users in: public keys as OpenSSH writes them, one a line, # begins a comment.
func readUserCAs(path string) (all []ssh.PublicKey, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: name a file that boathook may read", err)
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := apps.ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, number, err)
		}
		all = append(all, key)
	}
	if len(all) == 0 {
		return nil, errors.New(path + " has no key: write the authority's public key into it, the text of its .pub file")
	}
	return all, nil
}
