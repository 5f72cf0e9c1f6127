package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"text/tabwriter"
)

// TestCrash has a subtest for each engine, and tells of each kill in a line.
var (
	walked = regexp.MustCompile(`^TestCrash/(\w+)$`)
	killed = regexp.MustCompile(`killed at event (\d+) of (\d+) \((.*)\): (\w+)`)
)

// faultEvent is a line of `go test -json` (cmd/test2json).
type faultEvent struct{ Action, Test, Output string }

// runFaults lets TestCrash of cmd/boathook walk through the events of a deployment, and counts how the deployments read afterwards.
// That all else is as promised at each of them is what the test checks.
func runFaults(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab faults", flag.ContinueOnError)
	every := fs.Int("every", 1, "kill at each so-manieth event")
	engine := fs.String("engine", "docker|local", "regular expression of engines")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	test := exec.CommandContext(ctx, "go", "test", "-C", moduleDir(), "-json", "-v", "-count", "1", "-timeout", "60m",
		"-run", "^TestCrash$/^("+*engine+")$", "./cmd/boathook", "-every", strconv.Itoa(*every))
	lines, err := test.StdoutPipe()
	if err == nil {
		err = test.Start()
	}
	if err != nil {
		return nil, nil, err
	}
	points, broken := map[string]map[string]int{}, []string(nil)
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		var e faultEvent
		if json.Unmarshal(scan.Bytes(), &e) != nil {
			continue
		}
		of := walked.FindStringSubmatch(e.Test)
		if of == nil {
			continue
		}
		if m := killed.FindStringSubmatch(e.Output); m != nil {
			if points[of[1]] == nil {
				points[of[1]] = map[string]int{}
			}
			points[of[1]][m[4]]++
			fmt.Fprintf(out, "%-6s %s of %s  %s: %s\n", of[1], m[1], m[2], m[3], m[4])
		}
		if e.Action == "fail" || e.Action == "skip" {
			broken = append(broken, fmt.Sprintf("the walk on %s: %s", of[1], e.Action))
		}
	}
	var exit *exec.ExitError
	if err := test.Wait(); err != nil && !errors.As(err, &exit) {
		return nil, nil, err
	}
	if len(points) == 0 {
		broken = append(broken, "no kill was seen")
	}
	figures := map[string]any{"every": *every}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "engine\tkills\tunrecorded\taborted\tsuccess\t")
	for _, engine := range slices.Sorted(maps.Keys(points)) {
		unrecorded, aborted, success := points[engine]["unrecorded"], points[engine]["aborted"], points[engine]["success"]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", engine, unrecorded+aborted+success, unrecorded, aborted, success)
		figures[engine] = points[engine]
	}
	w.Flush()
	return figures, broken, nil
}
