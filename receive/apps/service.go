// Package apps is every operation that a caller may ask for. Permission is checked here and nowhere else, and every
// change and every refusal is audited.
package apps

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"boathook/receive/state"
)

// Caller is who asks.
type Caller struct {
	User        string
	Admin       bool // every app, and users
	Operator    bool // came by the local admin socket: may everything
	Fingerprint string
	Remote      string
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
	Filter string // container or process type, or "router"; "" all
}

// Runtime is what apps runs on.
type Runtime interface {
	Instances(ctx context.Context, app string) ([]Container, error)
	Statuses(ctx context.Context, apps []state.App) (map[string]string, error) // "running", "crashed", …
	Scale(ctx context.Context, app string, want []state.ProcessType) error
	Restart(ctx context.Context, app string, types []string) error // none: all
	Redeploy(ctx context.Context, r Redeployment) error
	Destroy(ctx context.Context, app string) error
	Logs(ctx context.Context, app string, opt LogOptions, w io.Writer) error
	SetRouterLogs(ctx context.Context, app string, on bool) error
	// Follow writes the transcript of the deployment under way, from its beginning to its end; an error if it fails or there is none.
	Follow(ctx context.Context, app string, w io.Writer) error
	// Cancel aborts a deployment (0: the one under way), and returns its number when it has ended; an error once its switch has begun.
	Cancel(ctx context.Context, app string, id int64, by string) (int64, error)
	DeleteCache(ctx context.Context, app string) error // an error while a deployment is under way
}

// Repositories holds the apps' git repositories.
type Repositories interface {
	Create(ctx context.Context, app string) error
	Remove(ctx context.Context, app string) error
}

// Config is what a Service needs; all fields but Log are required.
type Config struct {
	Store        *state.Store
	Runtime      Runtime
	Repositories Repositories
	Log          *slog.Logger
}

// Service carries out operations.
type Service struct {
	cfg       Config
	strangers strangers
}

// New returns a service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg}
}

var (
	// ErrNoApp is the answer for an unknown app and for one that the caller may not see.
	ErrNoApp = errors.New("there is no such app, or it is not yours: 'apps' lists those you may use")
	// ErrDenied is wrapped where the caller sees the app but may not do this.
	ErrDenied = errors.New("you may not do this")
)
