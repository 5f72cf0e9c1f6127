package command

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"boathook/receive/apps"
)

func setVariables() Command {
	return Command{
		Name:    "env-set",
		Usage:   "APP NAME=VALUE...",
		Summary: "set variables; NAME=- reads the value from standard input, one newline at its end is cut off",
		Run: func(ctx context.Context, c *Call) error {
			app, args, err := c.app(c.flags(), 1, -1)
			if err != nil {
				return err
			}
			vars, err := c.assignments(args)
			if err != nil {
				return err
			}
			return c.Service.SetVariables(ctx, c.Caller, app, vars)
		},
	}
}

// assignments reads NAME=VALUE; one of them may take its value from standard input.
func (c *Call) assignments(args []string) (map[string]string, error) {
	vars := map[string]string{}
	var input string // the variable that standard input is for
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
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
	text, err := c.input(apps.MaxValue*utf8.UTFMax + len("\n"))
	if err != nil {
		return nil, fmt.Errorf("the value of %s: %w", input, err)
	}
	vars[input] = strings.TrimSuffix(string(text), "\n")
	return vars, nil
}

// assignmentMistake does not repeat the value, which may be a secret.
func assignmentMistake(name string, twice bool) error {
	if twice {
		return usagef("%q is given twice", name)
	}
	return usagef("%q is not NAME=VALUE", name)
}
