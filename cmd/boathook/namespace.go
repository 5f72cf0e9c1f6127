package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ownNamespace is the label that a data directory gives its containers, made at its first start and kept in the file "namespace". Two
// boathooks on one engine with the same label would each take the other's containers and images for leftovers, and remove them.
func ownNamespace(data string) (string, error) {
	path := filepath.Join(data, "namespace")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte("boathook-" + strings.ToLower(rand.Text()[:8]) + "\n")
		err = writeOnce(path, text)
	}
	if err != nil {
		return "", fmt.Errorf("namespace: %w", err)
	}
	namespace := strings.TrimSpace(string(text))
	if namespace == "" {
		return "", fmt.Errorf("%s is empty: write into it the label boathook.namespace of the containers that are yours", path)
	}
	return namespace, nil
}

// writeOnce makes a file so that a crash leaves the whole of it or nothing.
func writeOnce(path string, text []byte) error {
	file, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
