package command

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func listVariables() Command {
	return Command{Name: "env", Usage: "APP [--json]", Summary: "show variables; a value of several lines, or with other control characters, is quoted as in bash", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		vars, err := c.Service.Variables(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(vars)
		}
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			if err := c.printf("%s=%s\n", name, oneLine(vars[name])); err != nil {
				return err
			}
		}
		return nil
	}}
}

// oneLine is a value as a line shows it: as it is, or in the quotes of bash if it would be more than a line, could drive the reader's terminal, or
// might be taken for one in quotes. So whoever set a value can neither pretend that there is another variable nor hide one.
func oneLine(value string) string {
	if printable(value) == value && !strings.HasPrefix(strings.TrimPrefix(value, "$"), "'") && !strings.HasPrefix(value, `"`) {
		return value
	}
	text, err := syntax.Quote(value, syntax.LangBash)
	if err != nil { // a zero byte, which bash has no form for
		return strconv.Quote(value)
	}
	return text
}
