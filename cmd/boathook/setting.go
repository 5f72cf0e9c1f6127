package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// The kinds of settings. What Set returns goes to the operator: it says which values are possible.

// list is a setting that may be repeated, or hold several entries separated by spaces.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, strings.Fields(v)...); return nil }

// pairs are the entries of a list of the form A=B.
func (l list) pairs(name string) ([][2]string, error) {
	var pairs [][2]string
	for _, entry := range l {
		a, b, ok := strings.Cut(entry, "=")
		if !ok || a == "" {
			return nil, fmt.Errorf("invalid value %q for %s: give it as NAME=VALUE", entry, name)
		}
		pairs = append(pairs, [2]string{a, b})
	}
	return pairs, nil
}

// size is a number of bytes, written like 2GiB or 300MB.
type size int64

func (s *size) String() string {
	if *s%units.MiB != 0 {
		return units.HumanSize(float64(*s))
	}
	return units.BytesSize(float64(*s))
}

func (s *size) Set(text string) error {
	parse := units.FromHumanSize
	if strings.Contains(strings.ToLower(text), "ib") {
		parse = units.RAMInBytes
	}
	n, err := parse(text)
	if err != nil || n <= 0 {
		return errors.New("give a size above zero, like 300MB or 2GiB")
	}
	*s = size(n)
	return nil
}

func bytesVar(fs *flag.FlagSet, p *int64, name, value, usage string) {
	if err := (*size)(p).Set(value); err != nil {
		panic(err) // a default of ours
	}
	fs.Var((*size)(p), name, "`bytes`: "+usage)
}

// span is a duration above zero.
type span time.Duration

func (s *span) String() string { return time.Duration(*s).String() }

func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("give a duration above zero, like 90s or 20m")
	}
	*s = span(d)
	return nil
}

func durationVar(fs *flag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	fs.Var((*span)(p), name, "`duration`: "+usage)
}

// count is a number above zero.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }

func (c *count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return errors.New("give a number above zero")
	}
	*c = count(n)
	return nil
}

func countVar(fs *flag.FlagSet, p *int, name string, value int, usage string) {
	*p = value
	fs.Var((*count)(p), name, "`number`: "+usage)
}

// address is where to listen.
type address string

func (a *address) String() string { return string(*a) }

func (a *address) Set(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("give HOST:PORT, like 0.0.0.0:2222")
	}
	*a = address(text)
	return nil
}

func addressVar(fs *flag.FlagSet, p *string, name, value, usage string) {
	*p = value
	fs.Var((*address)(p), name, usage)
}

// none is the address of a door that is elsewhere.
const none = "none"

// doorway is an address, or none.
type doorway struct{ value *string }

func (d *doorway) String() string {
	if d.value == nil {
		return "" // package flag asks a zero value
	}
	return *d.value
}

func (d *doorway) Set(text string) error {
	if text == none {
		*d.value = text
		return nil
	}
	if err := (*address)(d.value).Set(text); err != nil {
		return fmt.Errorf("%w, or none", err)
	}
	return nil
}

// link is a URL with a host.
type link string

func (l *link) String() string { return string(*l) }

func (l *link) Set(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("give a URL, like https://example.com")
	}
	*l = link(text)
	return nil
}

func linkVar(fs *flag.FlagSet, p *string, name, value, usage string) {
	*p = value
	fs.Var((*link)(p), name, usage)
}

// choice is one word of a few.
type choice struct {
	value *string
	words []string
}

func (c *choice) String() string {
	if c.value == nil {
		return "" // package flag asks a zero value
	}
	return *c.value
}

func (c *choice) Set(text string) error {
	if !slices.Contains(c.words, text) {
		return fmt.Errorf("choose one of %s", strings.Join(c.words, ", "))
	}
	*c.value = text
	return nil
}

// choiceVar declares a choice of words separated by spaces; the first is the default.
func choiceVar(fs *flag.FlagSet, p *string, name, words, usage string) {
	c := &choice{value: p, words: strings.Fields(words)}
	*p = c.words[0]
	fs.Var(c, name, usage)
}
