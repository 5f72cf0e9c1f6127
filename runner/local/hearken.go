package local

import (
	"os"
	"os/signal"
	"syscall"
)

// hearken has children start with the default for the signals that this process was told to ignore, as nohup and shells do for what they put into
// the background: a program may not even set a trap for one that was ignored when it began (POSIX, trap). A signal that is caught is the default again after
// execve(2). Nobody reads what is caught, so that it is ignored here as before.
func hearken() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}
