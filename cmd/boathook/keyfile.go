package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// keyFlags are how the commands that add a key may be given a file.
var keyFlags = []string{"--key", "-key"}

// openKey opens the file that "--key FILE" names, for the place of standard input, and names it "-": the server opens no file that a
// command names. The file is nil if none is named. Other commands and arguments stay as they are.
func openKey(args []string) ([]string, *os.File, error) {
	if args[0] != "keys-add" && args[0] != "users-add" {
		return args, nil, nil
	}
	for i, arg := range args {
		name, path, joined := strings.Cut(arg, "=")
		last := i
		if !slices.Contains(keyFlags, name) {
			continue
		}
		if !joined && i+1 < len(args) {
			path, last = args[i+1], i+1
		}
		if path == "-" || path == "" {
			break
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, nil, fmt.Errorf("key: %w: name the .pub file of a key", err)
		}
		return slices.Concat(args[:i], []string{"--key", "-"}, args[last+1:]), file, nil
	}
	return args, nil, nil
}
