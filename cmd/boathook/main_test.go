package main

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain has boathook on the PATH, and as boathook-mortal the one that ends at an event, see fuse.
func TestMain(m *testing.M) {
	// The tests wait more than they compute, for the engine and for programs that start and stop. -parallel still has the last word.
	if err := flag.Set("test.parallel", strconv.Itoa(max(6, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"boathook": main, "boathook-mortal": mortalMain})
}
