// Package apps is every operation that a caller may ask for. Permission is checked here and nowhere else, and every
// change and every refusal is audited.
package apps

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"boathook/receive/state"

	"golang.org/x/crypto/ssh"
)

// Caller is who asks.
type Caller struct {
	User        string
	Admin       bool   // every app, and users
	Operator    bool   // came by the local admin socket: may everything
	Fingerprint string // of the key, or the name of the token
	Certificate string // what certifies the key: `ID "alice's laptop" CA SHA256:…`
	Token       int64  // 0 none
	Remote      string

	App   string    // the one app that a deploy-only key is for, "" all that the user may
	Until time.Time // the end of the key, certificate or token; zero: none

	visit *Visit // nil outside of one
}

// bound is the caller of an operation that is open to a deploy-only key, if the app is the key's: what the user may do with it then
// counts. Every other operation is closed to such a key, see permitted and unbound.
func (c Caller) bound(app string) Caller {
	if c.App == app {
		c.App = ""
	}
	return c
}

// name is how others see who has done something.
func (c Caller) name() string {
	if c.Operator {
		return "operator"
	}
	return c.User
}

// Container is a running container of an app.
type Container struct {
	Name, State, Command, Size string
	Since                      time.Time
}

// LogOptions chooses from an app's output.
type LogOptions struct {
	Lines  int    // the last so many, 0 all that is kept
	Follow bool   // until ctx ends
	Filter string // container or process type, or "router", or several with | between; "" all
	JSON   bool   // one object a line: at, name, text
}

// Runtime is what apps runs on. A method with waiting takes its turn with deployments and tells, in lines, whom it waits for.
type Runtime interface {
	Instances(ctx context.Context, app string) ([]Container, error)
	Statuses(ctx context.Context, apps []state.App) (map[string]string, error) // "running", "crashed", …
	// Scale asks want, when it is the scaling's turn, which types are to change and how, and changes those.
	Scale(ctx context.Context, app string, want Wish, waiting func(line string)) error
	Restart(ctx context.Context, app string, types []string, waiting func(line string)) error // none: all
	Signal(ctx context.Context, app, signal string, to []string) (sent []string, err error)
	Stats(ctx context.Context, app string) ([]Usage, error)
	Redeploy(ctx context.Context, r Redeployment) (id int64, err error)          // of the deployment, 0 if it did not come to one
	FollowDeployment(ctx context.Context, id int64, w io.Writer) error           // its log, until it has ended
	CancelDeployment(ctx context.Context, app string, id int64, by string) error // 0: the one under way
	DeleteCache(ctx context.Context, app string) error
	URL(app string) string                         // under the platform's host
	Reroute(ctx context.Context, app string) error // after a change of its domains and rules
	Destroy(ctx context.Context, app string, waiting func(line string)) error
	// Rename has everything that runs of the app bear another name, which commit makes the app's when all of it is ready.
	Rename(ctx context.Context, app, to string, commit func(context.Context) error) error
	Logs(ctx context.Context, app string, opt LogOptions, w io.Writer) error
	Run(ctx context.Context, app string, o OneOff) (status int, err error)
	StopOneOff(ctx context.Context, app, container string) error
	SetRouterLogs(ctx context.Context, app string, on bool) error
}

// Repositories holds the apps' git repositories.
type Repositories interface {
	Create(ctx context.Context, app string) error
	Remove(ctx context.Context, app string) error
	// Rename moves a repository to another name if commit succeeds; ErrBusy of package gitpack while a push is going on.
	Rename(ctx context.Context, from, to string, commit func(context.Context) error) error
}

// Config is what a Service needs; its Store, Runtime and Repositories are required.
type Config struct {
	Store        *state.Store
	Runtime      Runtime
	Repositories Repositories
	Platform     string          // the host below which every app has its name, "apps.example.com"
	Certificates Certificates    // nil: none are obtained by ACME
	UserCAs      []ssh.PublicKey // authorities whose certificates log users in; may be empty
	Log          *slog.Logger

	// AccessChanged is told that somebody may not be able to log in any more who is connected. May be nil.
	AccessChanged func(context.Context)
}

// Service carries out operations.
type Service struct {
	cfg       Config
	strangers strangers
	naming    chan struct{} // holds a token while an app gets a name, with its record and its repository

	mu     sync.Mutex // guards what follows
	visits map[*Visit]struct{}
}

// New returns a service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, naming: make(chan struct{}, 1), visits: map[*Visit]struct{}{}}
}

var (
	// ErrNoApp is the answer for an unknown app and for one that the caller may not see.
	ErrNoApp = errors.New("there is no such app, or it is not yours: 'apps' lists those you may use")
	// ErrDenied is wrapped where the caller sees the app but may not do this.
	ErrDenied = errors.New("you may not do this")
)
