// Package runner is the contract between a deployment and the engine that runs
// its containers.
//
// An [Engine] knows nothing of git, users or routes. It starts groups of equal
// containers from an image, tells where they are and how they fare, runs a
// command once, and removes what it was told to remove. Everything it makes is
// labelled with its [Group] and with the namespace of the boathook that made it,
// so that the truth can be read back from the engine alone.
//
// The contract is shaped so that an engine may be one machine or many: no method
// hands out a process id, a local path or a descriptor, and state is watched as
// whole snapshots. Package enginetest is the suite that every engine passes.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrUnavailable is wrapped by every error that means the engine could not be
// asked at all: it is down, restarting or out of reach. The same call may succeed
// later; callers retry. An error that does not wrap it is an answer.
var ErrUnavailable = errors.New("the container engine is not reachable")

// ErrOutput is wrapped by an error of Run for a process that has ended as Exit says, but of whose output the end may be missing.
var ErrOutput = errors.New("the end of the output may be missing")

// ErrNotFound is wrapped where an instance or an image does not exist (any more).
var ErrNotFound = errors.New("not found")

// Group names the containers of one process type of one release.
type Group struct {
	App     string // application name
	Release string // id of the deployment that made the release, e.g. "42"
	Type    string // process type, e.g. "web", "worker", "postdeploy"
}

func (g Group) String() string { return fmt.Sprintf("%s/%s/%s", g.App, g.Release, g.Type) }

// Selector picks groups; an empty field matches everything.
type Selector Group

// Matches tells whether g is picked by s.
func (s Selector) Matches(g Group) bool {
	return (s.App == "" || s.App == g.App) &&
		(s.Release == "" || s.Release == g.Release) &&
		(s.Type == "" || s.Type == g.Type)
}

// Limits bound one container. Zero means the engine's default, never "no limit",
// for Memory and PIDs.
type Limits struct {
	Memory int64 // bytes
	PIDs   int64 // processes and threads
	CPU    int64 // relative weight, 1024 is standard (cgroup v1 cpu.shares)
}

// Spec describes containers to start.
type Spec struct {
	Group
	Image string // what builder.Image.Ref said
	// Argv is the whole command line, launcher included. Nil runs the image's own
	// entry point and command.
	Argv []string
	// Env is the environment shared by all replicas. The engine adds, per
	// container, CONTAINER ("web-1"), HOSTNAME ("my-app-web-1") and, if Port is
	// set, PORT. No other variable of the host reaches the container.
	Env    map[string]string
	Port   bool // the process is expected to listen on $PORT
	Limits Limits
	// First is the number of the first replica; 0 means 1. Start makes containers
	// TYPE-First to TYPE-(First+Replicas-1); Run makes the single TYPE-First.
	First    int
	Replicas int // Start only
	// Reserve is the ID of an instance of the same app whose Addr no other container gets through to while that of Run exists; "" for none. An
	// engine that does not keep its containers apart cannot keep them from there either. Run only.
	Reserve string
}

// Phase is what an instance is doing.
type Phase string

const (
	Pending Phase = "pending" // accepted, not yet running
	Running Phase = "running"
	Exited  Phase = "exited" // ended, by itself or killed, and stays so; see ExitCode
	// Restarting has ended too, but Keep holds for it: the engine starts it again after a pause.
	Restarting Phase = "restarting"
)

// Instance is one container.
type Instance struct {
	Group
	ID       string // the engine's own name for it, opaque, unique for ever
	Number   int    // the 1 in web-1
	Phase    Phase
	Addr     string // host:port to dial from this process and from the app's other containers; "" without a port or while not running
	Image    string
	ExitCode int // valid if Phase is Exited or Restarting; -1 if not known
	// OOMKilled tells that the memory limit ended it.
	OOMKilled bool
	OneOff    bool      // made by Run
	Command   string    // the last word of Spec.Argv, which with a shell is what it runs; "" without Argv
	Started   time.Time // of the current run; zero while pending
	Restarts  int       // restarts by the engine since the start
}

// Name is the container's name within its app, e.g. "web-1".
func (i Instance) Name() string { return fmt.Sprintf("%s-%d", i.Type, i.Number) }

// IO is what a one-off reads and writes.
type IO struct {
	// In is its standard input; nil: nothing to read. With a terminal, what is typed. When Run returns, a Read of In may still be
	// under way, and what it brings is lost: the caller ends it.
	In  io.Reader
	Out io.Writer // standard output; with a terminal, all that is shown
	Err io.Writer // standard error; nil: it goes to Out. Never used with a terminal
	// Terminal gives the process a terminal for its three streams; nil: they are pipes.
	Terminal *Terminal
}

// Terminal is the terminal of a one-off.
type Terminal struct {
	Size    Size
	Resized <-chan Size // new sizes; Run reads it until the process has ended. May be nil
}

// Size is that of a terminal, in characters. It has no name of its own, so that packages that do not know each other can hand it on.
type Size = struct{ Columns, Rows uint16 }

// Exit is how a one-off ended.
type Exit struct {
	Code      int // 128+n if a signal n ended it
	OOMKilled bool
}

// Usage is what an instance uses at one moment.
type Usage struct {
	CPU    time.Duration // of all its processes since they were started; two of them make a percentage
	Memory int64         // bytes, without the file cache that the kernel can take back
	Limit  int64         // bytes of memory that it may use; 0 if nothing enforces one
}

// LogOptions choose what Logs writes.
type LogOptions struct {
	Tail int // last lines only; 0 means all that is kept
}

// Line is one line of an instance's output.
type Line struct {
	At   time.Time // when it was written or, where the engine does not note that, when it was read
	Text []byte    // without its end; a line of more than 16 KiB comes in pieces
	Mark string    // the place after the line, for Lines to go on from; opaque, without blanks
}

// Engine runs containers. All methods are safe for concurrent use, and return
// early with ctx.Err() (wrapped) when ctx ends.
type Engine interface {
	// Name is the word of the configuration: "docker", "local".
	Name() string

	// Start creates and starts spec.Replicas containers and returns them in the order
	// of their numbers. It does not wait for ports and does not restart what
	// exits. A number of the group that is taken is an error. On an error it has removed every
	// container that this call made.
	Start(ctx context.Context, spec Spec) ([]Instance, error)

	// Keep turns restarting on for the selected containers: from now on the engine
	// itself brings back a container that exits, with backoff, also after a
	// reboot of the host. Stopped ones are not started by this call.
	Keep(ctx context.Context, sel Selector) error

	// List returns the selected containers, sorted by group and number, exited ones
	// included. One-offs of Run are listed too while they exist.
	List(ctx context.Context, sel Selector) ([]Instance, error)

	// Watch sends a snapshot (what List would say) at once and after every change, never
	// more often than the reader takes them: only the newest is kept. The channel is
	// closed when ctx ends, or when the engine is lost for good.
	Watch(ctx context.Context, sel Selector) (<-chan []Instance, error)

	// Run starts one container, connects it with io until the main process has ended, and removes the container on every path, killing what
	// is left in it. It returns then even if something in it still holds the output open, and not before Out and Err have
	// taken what was written. The output is not kept. A non-zero exit is not an error, and how a process has ended is told also if its container
	// cannot be removed then.
	Run(ctx context.Context, spec Spec, io IO) (Exit, error)

	// Logs writes what is kept of an instance's output, oldest first, to w. Works for exited instances, not for those of Run.
	Logs(ctx context.Context, id string, opt LogOptions, w io.Writer) error

	// Lines calls each with the lines of an instance's output that are kept, and then with those that come, until the instance
	// ends (nil), ctx does or each fails (their error). after is the Mark of the last line that the caller had, also from an
	// earlier engine value, or "" for none: no line comes twice, and none is left out that is still kept. A line belongs to each during
	// the call only. An instance that is restarted may count as ended; the caller goes on with another call.
	Lines(ctx context.Context, id, after string, each func(Line) error) error

	// Remove stops the selected containers together (SIGTERM, then SIGKILL after grace), removes
	// them and whatever was made for them, the app's network with its last container included. Removing
	// nothing is no error. Grace 0 kills at once.
	Remove(ctx context.Context, sel Selector, grace time.Duration) error

	// RemoveInstance is Remove for a single one. A missing instance is no error.
	RemoveInstance(ctx context.Context, id string, grace time.Duration) error

	// Signal sends a signal, named without its SIG ("USR1"), to the main process of a running instance, which may share it with its process
	// group. It does not wait for what comes of it. One that does not run, or any more, is ErrNotFound, a name that the engine
	// does not know another error. Keep may not hold any more for an instance that ends after it: the caller looks.
	Signal(ctx context.Context, id, signal string) error

	// Stats tells what a running instance uses. One that does not run is ErrNotFound; errors.ErrUnsupported is wrapped where
	// the system cannot tell.
	Stats(ctx context.Context, id string) (Usage, error)

	// Groups lists every group of which at least one container exists, sorted. For reconciliation at start.
	Groups(ctx context.Context) ([]Group, error)

	// Close releases what the engine value holds in this process. Containers go on running.
	Close() error
}
