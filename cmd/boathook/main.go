// Command boathook is `git push scalingo master` on your own machine: an SSH git server that builds what is
// pushed, starts it beside the running version, and moves traffic only when it answers and its postdeploy hook has succeeded.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `boathook: git push scalingo master, on your own machine

  boathook demo     see the main job in a minute, in a temporary directory
  boathook serve    run the server                    (boathook serve -h)
  boathook router   route for a server with -http-addr none, also while it is away (boathook router -h)
  boathook stack    make sure that there is a base image (boathook stack -h)
  boathook backup   write an archive of the data directory, while boathook serves (boathook backup -h)
  boathook restore  make a data directory of such an archive (boathook restore -h)
  boathook systemd-unit [router]   print unit files that serve with the settings given, e.g. -data DIR
  boathook completion bash|zsh|fish   print what the shell needs to complete these words
  boathook version

Everything else is a management command, answered by the running server; the same words
work as ssh -p 2222 git@HOST COMMAND:

  boathook help
`

// run is the whole program; it returns the exit code: 0, 1 failure, 2 usage.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "serve":
		return serve(ctx, rest, stdout, stderr)
	case "router":
		return route(ctx, rest, stdout, stderr)
	case "demo":
		return demo(ctx, rest, stdout, stderr)
	case "stack":
		return stack(ctx, rest, stdout, stderr)
	case "backup":
		return backup(ctx, rest, stdout, stderr)
	case "restore":
		return restore(ctx, rest, stdin, stdout, stderr)
	case "systemd-unit":
		return systemdUnit(rest, stdout, stderr)
	case "completion":
		return completion(rest, stdout, stderr)
	case "version", "--version":
		fmt.Fprintln(stdout, "boathook", version())
		return 0
	case "-h", "--help":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		return manage(ctx, args, stdin, stdout, stderr)
	}
}
