package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// serverSource is the app that is measured: it answers with the text of its file VERSION, or else the number compiled into it, and
// finishes its requests on SIGTERM.
const serverSource = `package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

var version = "0"

func main() {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	port := os.Getenv("PORT")
	if port == "" {
		port = "5000"
	}
	if text, err := os.ReadFile("VERSION"); err == nil {
		version = string(text)
	}
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(version))
	})}
	go func() { <-stop.Done(); server.Shutdown(context.Background()) }()
	server.ListenAndServe()
	<-stop.Done()
}
`

// scratchDockerfile is the smallest real app image.
const scratchDockerfile = "FROM scratch\nCOPY server /server\nCMD [\"/server\"]\n"

// buildServer compiles the app with a version in it and returns the static binary.
func buildServer(ctx context.Context, dir string, version int) ([]byte, error) {
	source, binary := filepath.Join(dir, "server.go"), filepath.Join(dir, "server")
	if err := os.WriteFile(source, []byte(serverSource), 0o644); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GO111MODULE=off", "GOFLAGS=", "GOWORK=off")
	err := command(ctx, dir, env, "go", "build", "-trimpath", "-ldflags", fmt.Sprintf("-s -w -X main.version=%d", version), "-o", binary, source)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(binary)
}
