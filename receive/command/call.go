package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"time"

	"boathook/receive/apps"
)

// Call is one use of a command. Args starts with the command's name.
type Call struct {
	Args           []string
	Line           string // of which Args are the words; "" if they came as words
	Caller         apps.Caller
	Service        *apps.Service
	Remote         string // what comes before "APP.git" in the URL of a git remote: "ssh://git@example.com:2222/"
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Width          int       // columns of the caller's terminal, 0 if there is none
	Terminal       *Terminal // nil but for commands that work it themselves

	json bool
}

// Terminal is the caller's, with its keys and its screen as they are.
type Terminal struct {
	apps.Terminal
	In  io.Reader
	Out io.Writer
}

// flags is the set of flags that every command has, --json.
func (c *Call) flags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&c.json, "json", false, "")
	return f
}

// alias lets flags be written another way, as in the scalingo client, which has a long and a short name for each: flag → other name. Both are
// one flag, of which the last one counts.
func alias(f *flag.FlagSet, names map[string]string) {
	for name, other := range names {
		f.Var(f.Lookup(name).Value, other, "")
	}
}

// parse reads flags, before and after the arguments, and returns the arguments; "--" ends the flags. least and most bound how
// many there are (most < 0: no bound).
func (c *Call) parse(f *flag.FlagSet, least, most int) ([]string, error) {
	args, err := c.words(f)
	if err != nil {
		return nil, err
	}
	return args, count(args, least, most)
}

func (c *Call) words(f *flag.FlagSet) ([]string, error) {
	var args []string
	for rest := c.Args; ; {
		if err := f.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, usage{err}
		}
		used := len(rest) - f.NArg()
		if f.NArg() == 0 || used > 0 && rest[used-1] == "--" {
			return append(args, f.Args()...), nil
		}
		args, rest = append(args, f.Arg(0)), f.Args()[1:]
	}
}

// rest is the end of the line, from its last n words on, as it was written.
func (c *Call) rest(n int) (string, error) {
	_, begin, err := split(c.Line)
	if err != nil || n == 0 {
		return "", err
	}
	return c.Line[begin[len(begin)-n]:], nil
}

func count(args []string, least, most int) error {
	if len(args) < least {
		return usagef("an argument is missing")
	}
	if most >= 0 && len(args) > most {
		return usagef("%q is one argument too many", args[most])
	}
	return nil
}

// app is parse for a command about an app, given as --app, -a or the first argument; least and most bound the others.
func (c *Call) app(f *flag.FlagSet, least, most int) (string, []string, error) {
	var name string
	appFlag(f, &name)
	args, err := c.words(f)
	if err != nil {
		return "", nil, err
	}
	if name == "" {
		if len(args) == 0 {
			return "", nil, usagef("which app?")
		}
		name, args = args[0], args[1:]
	}
	return name, args, count(args, least, most)
}

// appFlag is --app, or -a.
func appFlag(f *flag.FlagSet, name *string) {
	f.StringVar(name, "app", "", "")
	alias(f, map[string]string{"app": "a"})
}

// input reads standard input, which is for what, "the key", to its end. More than limit bytes are refused, not cut.
func (c *Call) input(what string, limit int) ([]byte, error) {
	defer c.prompt(what)()
	text, err := io.ReadAll(io.LimitReader(c.Stdin, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(text) > limit {
		return nil, fmt.Errorf("standard input is too long: at most %d bytes are read", limit)
	}
	return text, nil
}

// ssh is how a command is asked for from elsewhere.
func (c *Call) ssh() string {
	at, err := url.Parse(c.Remote)
	if err != nil || at.Port() == "" {
		return "ssh git@HOST"
	}
	return "ssh -p " + at.Port() + " git@" + at.Hostname()
}

// orDash is the text of a table's cell that may be empty.
func orDash(text string) string { return cmp.Or(text, "-") }

func (c *Call) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Stdout, format, args...)
	return err
}

// printJSON prints a document. It is no part of a page, so an arrow stays one.
func (c *Call) printJSON(v any) error {
	document := json.NewEncoder(inert{c.Stdout})
	document.SetEscapeHTML(false)
	return document.Encode(v)
}

// waiting tells the caller whom the command waits for, beside what it prints.
func (c *Call) waiting(line string) { fmt.Fprintln(c.Stderr, line) }

// when is a time as tables show it, UTC.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}
