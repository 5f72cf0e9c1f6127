// Package enginetest is the suite that every [runner.Engine] passes: one test for
// each sentence of the contract.
//
// An engine's own test calls [Run] with a [Harness]:
//
//	func TestEngine(t *testing.T) {
//		enginetest.Run(t, enginetest.Harness{New: ..., Image: ..., Launcher: ..., Listen: ...})
//	}
package enginetest

import (
	"testing"

	"boathook/runner"
)

// Harness is what the suite has to know of an engine. The commands that it runs are bash with
// /dev/tcp, echo, cat, sleep, env, kill and ls; a busybox is enough for the programs.
type Harness struct {
	// New returns an engine in which nothing runs yet: its own namespace or state directory. It is
	// called once a test; tests run in parallel. The suite removes what it starts and calls Close.
	New func(t *testing.T) runner.Engine
	// Image is a Spec.Image. Its processes start in a directory that they can write and that no
	// other container sees. The image's own entry point and command print "own entry point" and
	// end with 0; leave Entrypoint false where an image has none.
	Image      string
	Entrypoint bool
	// Launcher is the argv before a command, which is one argument: {"/bin/bash", "-c"}.
	Launcher []string
	// Listen is a command that listens on $PORT of every address that Instance.Addr may name, and
	// goes on until it gets SIGTERM. It needs no answer beyond accepting connections. It may be
	// used as `LISTEN &` with a wait behind it.
	Listen string
	// Env names the variables that the engine or its launcher may add to the contract's, such as PATH
	// and HOME; PWD, SHLVL, OLDPWD and _ are bash's and always allowed.
	Env []string
	// Memory tells that Limits.Memory is enforced and reported as OOMKilled.
	Memory bool
	// PIDs tells that Limits.PIDs is enforced.
	PIDs bool
}
