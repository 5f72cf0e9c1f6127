package scenes

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// portsGiven counts the calls of quietPort, so that no two scenes get the same.
var portsGiven atomic.Int64

// quietPort is a port on which nobody listens, for a program that is going to. It lies below those that systems give to whoever asks for any
// (32768 and up), and below those of the local engine's apps (20000 and up), so that nobody gets it by chance before that.
func quietPort(ts *testscript.TestScript) int {
	for range 100 {
		port := 10_000 + (97*os.Getpid()+int(portsGiven.Add(1)))%10_000
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			ts.Check(l.Close())
			return port
		}
	}
	ts.Fatalf("no port is free")
	return 0
}
