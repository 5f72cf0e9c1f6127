package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// attended is the context of a verb that has something to put away: it ends also when the terminal is closed, unless nohup has said
// that this does not matter. A closed pipe (boathook serve | tee, where Ctrl-C ends tee first) is an error of the write instead of
// the end of the process.
func attended(ctx context.Context) (context.Context, context.CancelFunc) {
	pipes := make(chan os.Signal, 1) // nobody reads it: asking for the signal is what keeps it from killing
	signal.Notify(pipes, syscall.SIGPIPE)
	ctx, stop := ctx, context.CancelFunc(func() {})
	if !signal.Ignored(syscall.SIGHUP) {
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
	}
	return ctx, func() {
		stop()
		signal.Stop(pipes)
	}
}
