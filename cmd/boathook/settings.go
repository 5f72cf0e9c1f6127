package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/peterbourgon/ff/v3"
)

// settingsHead comes before the list of settings.
const settingsHead = `The settings of %s. Each is a flag (-http-addr 0.0.0.0:80), an environment variable
(BOATHOOK_HTTP_ADDR=0.0.0.0:80) or a line of the file named by -config (http-addr 0.0.0.0:80);
the first of these wins.

`

// parseSettings reads the settings from flags, environment and file. flag.ErrHelp means that the usage has been printed on usage.
func parseSettings(fs *flag.FlagSet, args []string, usage io.Writer) error {
	err := readSettings(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(usage)
		fmt.Fprintf(usage, settingsHead, fs.Name())
		fs.PrintDefaults()
	}
	return err
}

// readSettings sets flags from args, then from the environment those that are not set yet, then from the file that -config or
// BOATHOOK_CONFIG names. An error tells where the mistake is.
func readSettings(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("%w; see '%s -h'", err, fs.Name())
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: settings are flags, see '%s -h'", fs.Arg(0), fs.Name())
	}
	if err := readEnvironment(fs); err != nil {
		return err
	}
	if path := fs.Lookup("config").Value.String(); path != "" {
		return readFile(fs, path)
	}
	return nil
}

// given is the names of the flags that are set.
func given(fs *flag.FlagSet) map[string]bool {
	names := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { names[f.Name] = true })
	return names
}

// readEnvironment reads -ssh-addr from BOATHOOK_SSH_ADDR, and so on. An empty variable counts as none.
func readEnvironment(fs *flag.FlagSet) (err error) {
	before := given(fs)
	fs.VisitAll(func(f *flag.Flag) {
		name := "BOATHOOK_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := os.Getenv(name)
		if err != nil || before[f.Name] || value == "" {
			return
		}
		if wrong := fs.Set(f.Name, value); wrong != nil {
			err = fmt.Errorf("invalid value %q for the environment variable %s: %w", value, name, wrong)
		}
	})
	return err
}

// readFile reads lines "ssh-addr 0.0.0.0:22"; # begins a comment.
func readFile(fs *flag.FlagSet, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("settings file: %w: make it, or leave -config out", err)
	}
	defer file.Close()
	before := given(fs)
	err = ff.PlainParser(file, func(name, value string) error {
		if fs.Lookup(name) == nil {
			return fmt.Errorf("there is no setting %q; see '%s -h'", name, fs.Name())
		}
		if before[name] {
			return nil
		}
		if err := fs.Set(name, value); err != nil {
			return fmt.Errorf("invalid value %q for %s: %w", value, name, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settings file %s: %w", path, err)
	}
	return nil
}
