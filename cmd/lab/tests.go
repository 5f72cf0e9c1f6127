package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// testEvent is a line of `go test -json` (cmd/test2json). An attribute comes from testing.T.Attr.
type testEvent struct{ Action, Package, Test, Key, Value, Output string }

// runTests runs tests of the module and tells attribute what they have noted with testing.T.Attr. A test that fails or is skipped breaks a promise.
func runTests(ctx context.Context, attribute func(test, key, value string), args ...string) (broken []string, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-C", moduleDir(), "-json", "-count", "1", "-timeout", "120m"}, args...)...)
	lines, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	said := map[string]string{} // by test, the output
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		var e testEvent
		if json.Unmarshal(scan.Bytes(), &e) != nil {
			continue
		}
		switch {
		case e.Action == "attr":
			attribute(e.Test, e.Key, e.Value)
		case e.Action == "output":
			said[e.Test] += e.Output
		case e.Action == "fail", e.Action == "skip" && e.Test != "":
			broken = append(broken, strings.TrimSpace(fmt.Sprintf("%s %s: %s\n%s", e.Package, e.Test, e.Action, said[e.Test])))
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	return broken, nil
}
