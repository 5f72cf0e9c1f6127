package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// runFaults lets the tests of cmd/boathook walk through the events of a deployment, with a kill of the server or a fault of the engine at each,
// and counts the outcomes. That all else is as promised at each of them is what the tests check; how long a killed server's successor takes until
// the app is answered is measured here.
func runFaults(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab faults", flag.ContinueOnError)
	every := fs.Int("every", 1, "at each so-manieth event")
	within := fs.Duration("within", 2*time.Second, "promised time from a restart to the first answers; 0 promises nothing")
	if err := fs.Parse(args); err != nil || *every < 1 {
		return nil, nil, errUsage
	}
	points := map[string]map[string]int{}
	var served []time.Duration
	broken, err := runTests(ctx, func(test, key, value string) {
		if took, err := time.ParseDuration(value); key == "served" && err == nil {
			served = append(served, took)
			return
		}
		fmt.Fprintf(out, "%s: %s\n", test, value)
		outcome, _, _ := strings.Cut(value, ": ")
		if points[test] == nil {
			points[test] = map[string]int{}
		}
		points[test][outcome]++
	}, "-run", "^(TestCrash|TestCrashBesideRouter|TestCrashOfRename|TestEngineFaults)$", "./cmd/boathook", "-every", strconv.Itoa(*every))
	if err != nil {
		return nil, nil, err
	}
	if len(points) == 0 {
		broken = append(broken, "no fault was seen")
	}
	slowest := time.Duration(0)
	if len(served) > 0 {
		slowest = slices.Max(served)
		fmt.Fprintf(out, "from a restart to the first answers: %.0f ms (median), %.0f ms (slowest of %d)\n", ms(median(served)), ms(slowest), len(served))
	}
	if *within > 0 && slowest > *within {
		broken = append(broken, fmt.Sprintf("%s from a restart to the first answers, promised %s", slowest, *within))
	}
	figures := map[string]any{"every": *every, "restart_ms": ms(slowest)}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, test := range slices.Sorted(maps.Keys(points)) {
		for _, outcome := range slices.Sorted(maps.Keys(points[test])) {
			fmt.Fprintf(w, "%s\t%s\t%d\n", test, outcome, points[test][outcome])
		}
		figures[test] = points[test]
	}
	w.Flush()
	return figures, broken, nil
}
