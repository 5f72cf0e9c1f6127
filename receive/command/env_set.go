package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"boathook/receive/apps"
)

func setVariables() Command {
	return Command{
		Name:    "env-set",
		Usage:   "APP NAME=VALUE... [--restart] [--json]",
		Summary: "set variables; NAME=- reads the value from standard input, one newline at its end is cut off. --restart: restart the app, to let the containers have them",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			restart := f.Bool("restart", false, "")
			app, args, err := c.app(f, 1, -1)
			if err != nil {
				return err
			}
			vars, err := c.assignments(args)
			if err != nil {
				return err
			}
			if err := c.Service.SetVariables(ctx, c.Caller, app, vars); err != nil {
				return err
			}
			change := variableChange{App: app, Set: slices.Sorted(maps.Keys(vars))}
			for _, name := range change.Set {
				if apps.OfPlatform(name) {
					change.Overridden = append(change.Overridden, name)
				}
			}
			return c.changed(ctx, change, *restart)
		},
	}
}

// assignments reads NAME=VALUE; one of them may take its value from standard input.
func (c *Call) assignments(args []string) (map[string]string, error) {
	vars := map[string]string{}
	var input string // the variable that standard input is for
	for n, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if n > 0 && (!ok || name == "") {
			return nil, c.blankMistake(args[n-1])
		}
		if _, twice := vars[name]; !ok || name == "" || twice {
			return nil, assignmentMistake(name, twice)
		}
		vars[name] = value
		if value != "-" {
			continue
		}
		if input != "" {
			return nil, usagef("only one variable can be read from standard input, not both %s and %s", input, name)
		}
		input = name
	}
	if input == "" {
		return vars, nil
	}
	text, err := c.input("the value of "+input, apps.MaxValue*utf8.UTFMax+len("\n"))
	if err != nil {
		return nil, fmt.Errorf("the value of %s: %w", input, err)
	}
	vars[input] = strings.TrimSuffix(string(text), "\n")
	return vars, nil
}

// blankMistake is for a word that is not NAME=VALUE behind one that is: most likely the second word of a value, of which nothing is repeated.
func (c *Call) blankMistake(before string) error {
	name, _, _ := strings.Cut(before, "=")
	if c.Caller.Operator {
		return usagef("what comes after the value of %s is not NAME=VALUE: a value with blanks is quoted, '%s=two words'", name, name)
	}
	return usagef("what comes after the value of %s is not NAME=VALUE: ssh takes one pair of quotes off, so a value with blanks has two, '%s=\"two words\"'", name, name)
}

// assignmentMistake does not repeat the value, which may be a secret.
func assignmentMistake(name string, twice bool) error {
	if twice {
		return usagef("%q is given twice", name)
	}
	return usagef("%q is not NAME=VALUE", name)
}
