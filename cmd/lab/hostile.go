package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
)

// runHostile lets the tests of hostile pushes run and lists what became of each case, in the words that the pusher gets.
func runHostile(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab hostile", flag.ContinueOnError)
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	cases := 0
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	broken, err := runTests(ctx, func(test, _, value string) {
		cases++
		fmt.Fprintf(w, "%s\t%s\n", test, value)
	}, "-run", "^(TestHostilePacks|TestCostlyPacks|TestRequestCaps)$", "./receive/gitpack")
	w.Flush()
	if err == nil && cases == 0 {
		broken = append(broken, "no case was seen")
	}
	return map[string]any{"cases": cases}, broken, err
}
