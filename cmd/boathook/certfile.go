package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// openCertificate reads the files that "domains-ssl … --cert FILE --key FILE" names: what takes the place of standard input, as the server opens
// no file that a command names. It is nil for other commands and without files, which "-" is none of; the arguments then stay as they are.
func openCertificate(args []string) ([]string, io.Reader, error) {
	if args[0] != "domains-ssl" {
		return args, nil, nil
	}
	var rest []string
	var texts [][]byte
	named := map[string]bool{}
	for i := 0; i < len(args); i++ {
		flag, path, joined := strings.Cut(args[i], "=")
		name := strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "-")
		if !strings.HasPrefix(flag, "-") || name != "cert" && name != "key" {
			rest = append(rest, args[i])
			continue
		}
		if !joined && i+1 < len(args) {
			i++
			path = args[i]
		}
		if path == "-" { // standard input, which the server takes without a word
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w: name a file in PEM", name, err)
		}
		named[name], texts = true, append(texts, text)
	}
	if len(named) == 0 {
		return args, nil, nil
	}
	if !named["cert"] || !named["key"] {
		return nil, nil, errors.New("name both files, --cert and --key, or give one that has all as standard input")
	}
	return rest, bytes.NewReader(bytes.Join(texts, []byte("\n"))), nil
}
