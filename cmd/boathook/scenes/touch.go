package scenes

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdTouchIn makes an empty file in the directory of the app in each running container of a type, where `bin/app wait-for FILE` waits for it:
// touch-in TYPE FILE. It waits for a first one: the local engine knows, and `ps` says, that one runs before that is on disk.
func cmdTouchIn(ts *testscript.TestScript, neg bool, args []string) {
	touch := map[string]func(*testscript.TestScript, string, string){"local": touchLocal, "docker": touchDocker}[ts.Getenv("ENGINE")]
	for deadline := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		all, err := placeOf(ts).instances(context.Background())
		ts.Check(err)
		all = slices.DeleteFunc(all, func(i instance) bool { return i.Type != args[0] || !i.Running })
		for _, i := range all {
			touch(ts, i.ID, args[1])
		}
		if len(all) > 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no container of type %s runs", args[0])
		}
	}
}

func touchLocal(ts *testscript.TestScript, dir, file string) {
	ts.Check(os.WriteFile(filepath.Join(dir, "app", file), nil, 0o644))
}

func touchDocker(ts *testscript.TestScript, id, file string) {
	api, err := dockerClient()
	ts.Check(err)
	defer api.Close()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	ts.Check(w.WriteHeader(&tar.Header{Name: file, Mode: 0o644}))
	ts.Check(w.Close())
	ts.Check(api.CopyToContainer(context.Background(), id, "/app", &archive, container.CopyToContainerOptions{}))
}
