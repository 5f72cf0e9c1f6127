package gitpack

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peakOfChildren is the memory of the largest process that this one waited for, in bytes.
func peakOfChildren() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return -1
	}
	return usage.Maxrss << 10
}

// measured pushes in a process of its own, and returns what the pusher was told, and the peak memory of the git processes in bytes.
func (w *world) measured(t *testing.T, limits Limits, new string, pack []byte) (said string, peak int64) {
	t.Helper()
	text, err := json.Marshal(limits)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(w.self, w.path)
	cmd.Env = append(os.Environ(), "GITPACK_TEST=measured", "GITPACK_LIMITS="+string(text))
	cmd.Stdin = input(t, "report-status", master, new, pack)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		t.Fatal(err)
	}
	said, peakText, ok := strings.Cut(stderr.String(), "peak ")
	if _, err := fmt.Sscan(peakText, &peak); !ok || err != nil {
		t.Fatalf("no peak in %q: %v", &stderr, err)
	}
	return said + stdout.String(), peak
}

// Packs that are small to send and large to unpack: memory is bounded whatever they declare, and so is processor time.
func TestCostlyPacks(t *testing.T) {
	zeros := object{kind: 3, data: strings.Repeat("\x00", 1<<20)}
	noise := make([]byte, 2<<20)
	rand.Read(noise)
	blob := object{kind: 3, data: string(noise)}
	// The tip is in none of them, so that even a pack that can be stored does not deploy.
	absent := strings.Repeat("1", 40)
	chain := []object{zeros}
	for range 40 { // 8 GiB to make and to hash
		chain = append(chain, bombDelta(zeros, 200))
	}
	for _, tt := range []struct {
		name   string
		limits Limits
		pack   []byte
		want   string
		peak   int64 // MiB
	}{
		{"2 GiB of zeros, a second of processor time", Limits{CPU: time.Second}, zeroPack(2047), "more than 1s of processor time", 128},
		{"300 MiB of zeros, streamed", Limits{}, zeroPack(300), "missing necessary objects", 128},
		{"delta bomb of 2 GiB", Limits{}, pack(zeros, bombDelta(zeros, 2047)), "attempting to allocate", 128},
		{"delta bomb below the limit of one allocation", Limits{Memory: 100 << 20}, pack(zeros, bombDelta(zeros, 200)), "emory", 128},
		{"many deltas", Limits{CPU: time.Second}, pack(chain...), "more than 1s of processor time", 640},
		{"larger than a push may be", Limits{InputSize: 1 << 20}, pack(blob), "one push may have 1MiB", 128},
		{"larger than the repository may be", Limits{RepositorySize: 1 << 20}, pack(blob), "a repository 1MiB", 128},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			said, peak := w.measured(t, tt.limits, absent, tt.pack)
			if !strings.Contains(said, tt.want) || !strings.Contains(said, "ng "+master) {
				t.Errorf("want %q in\n%s", tt.want, said)
			}
			if peak > tt.peak<<20 {
				t.Errorf("git took %d MiB, want at most %d", peak>>20, tt.peak)
			}
			w.head(master, ZeroID)
			w.clean()
			t.Attr("outcome", fmt.Sprintf("ng: %s, with at most %d MiB of memory", tt.want, tt.peak))
		})
	}
}
