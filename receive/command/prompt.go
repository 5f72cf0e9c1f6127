package command

import (
	"fmt"
	"sync"
	"time"
)

// patience is how long a file or a pipe may take to its end before somebody at a terminal is told that the command waits.
const patience = time.Second

// prompt tells a caller at a terminal what the command reads from standard input, and how that ends, if it has not ended in a moment: nobody says
// whether it is typed, or comes from a file. read is for when it has been read.
func (c *Call) prompt(what string) (read func()) {
	if c.Width == 0 {
		return func() {}
	}
	end := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		select {
		case <-time.After(patience):
			c.waiting(fmt.Sprintf("Waiting for %s on standard input: Ctrl-D on a line of its own ends it", what))
		case <-end:
		}
	})
	return func() {
		close(end)
		telling.Wait()
	}
}
