package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Status of a deployment, in the platform's words.
type Status string

// The statuses, in the order in which a deployment goes through them; then how it may end.
const (
	Queued       Status = "queued"
	Building     Status = "building"
	Pushing      Status = "pushing"
	Starting     Status = "starting"
	Success      Status = "success"
	Aborted      Status = "aborted"
	BuildError   Status = "build-error"
	CrashedError Status = "crashed-error"
	TimeoutError Status = "timeout-error"
	HookError    Status = "hook-error"
)

// after is the step that follows an unfinished status.
var after = map[Status]Status{Queued: Building, Building: Pushing, Pushing: Starting, Starting: Success}

var failures = []Status{Aborted, BuildError, CrashedError, TimeoutError, HookError}

// Finished tells that a deployment of this status will not change any more.
func (s Status) Finished() bool {
	_, goesOn := after[s]
	return !goesOn
}

// mayBecome tells the legal transitions: one step forward, or from anywhere unfinished to a failure.
func (s Status) mayBecome(next Status) bool {
	return !s.Finished() && (next == after[s] || slices.Contains(failures, next))
}

// Deployment is one run of the story.
type Deployment struct {
	ID          int64
	App         string
	Status      Status
	Ref         string // "refs/heads/master"
	Commit      string // object id
	Pusher      string
	Reason      string // of a failure
	Image       string // "" until it was built; it may have been removed since
	Created     time.Time
	Finished    time.Time // zero while it runs
	Transitions []Transition
	Phases      map[string]time.Duration // by name: queue, build, ship, release, start, wait, postdeploy, switch
}

// Transition is when a deployment reached a status.
type Transition struct {
	Status Status
	At     time.Time
}

const deploymentColumns = "id, app, status, ref, sha, pusher, reason, image, created, finished"

func scanDeployment(r row) (d Deployment, err error) {
	var created, finished int64
	err = r.Scan(&d.ID, &d.App, &d.Status, &d.Ref, &d.Commit, &d.Pusher, &d.Reason, &d.Image, &created, &finished)
	d.Created, d.Finished = at(created), at(finished)
	return d, err
}

// CreateDeployment records a new deployment as queued. App, Ref, Commit and Pusher are taken from d.
func (s *Store) CreateDeployment(ctx context.Context, d Deployment) (Deployment, error) {
	var id int64
	err := s.write(ctx, func(tx *sql.Tx) error {
		when := now()
		result, err := tx.ExecContext(ctx, "INSERT INTO deployments (app, status, ref, sha, pusher, created) VALUES (?, ?, ?, ?, ?, ?)",
			d.App, Queued, d.Ref, d.Commit, d.Pusher, when)
		if err != nil {
			return err
		}
		if id, err = result.LastInsertId(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO transitions (deployment, status, at) VALUES (?, ?, ?)", id, Queued, when)
		return err
	})
	if err != nil {
		return Deployment{}, named("deployment of "+d.App, err)
	}
	return s.Deployment(ctx, id)
}

// SetStatus records a transition. Only the legal order is accepted, and a finished deployment is final. Success is for GoLive
// to record.
func (s *Store) SetStatus(ctx context.Context, id int64, status Status, reason string) error {
	if status == Success {
		return fmt.Errorf("deployment %d: status %s without going live", id, status)
	}
	return named(fmt.Sprintf("deployment %d", id), s.write(ctx, func(tx *sql.Tx) error {
		return setStatus(ctx, tx, id, status, reason)
	}))
}

func setStatus(ctx context.Context, tx *sql.Tx, id int64, status Status, reason string) error {
	var current Status
	if err := tx.QueryRowContext(ctx, "SELECT status FROM deployments WHERE id = ?", id).Scan(&current); err != nil {
		return err
	}
	if !current.mayBecome(status) {
		return fmt.Errorf("status %s cannot follow %s", status, current)
	}
	when, finished := now(), int64(0)
	if status.Finished() {
		finished = when
	}
	_, err := tx.ExecContext(ctx, "UPDATE deployments SET status = ?, reason = ?, finished = ? WHERE id = ?", status, reason, finished, id)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO transitions (deployment, status, at) VALUES (?, ?, ?)", id, status, when)
	return err
}

// GoLive makes a deployment's release the one that serves: status success, the app's live release and its formation change
// in one transaction. ErrNotFound if the release was not saved.
func (s *Store) GoLive(ctx context.Context, id int64, formation []ProcessType) error {
	return named(fmt.Sprintf("deployment %d", id), s.write(ctx, func(tx *sql.Tx) error {
		if err := setStatus(ctx, tx, id, Success, ""); err != nil {
			return err
		}
		var app string
		err := tx.QueryRowContext(ctx, "UPDATE apps SET live = ? WHERE name = (SELECT app FROM releases WHERE deployment = ?) RETURNING name", id, id).Scan(&app)
		if err != nil {
			return err
		}
		return replaceFormation(ctx, tx, app, formation)
	}))
}

// Deployment returns one deployment with its transitions and phases.
func (s *Store) Deployment(ctx context.Context, id int64) (Deployment, error) {
	d, err := scanDeployment(s.db.QueryRowContext(ctx, "SELECT "+deploymentColumns+" FROM deployments WHERE id = ?", id))
	if err != nil {
		return d, named(fmt.Sprintf("deployment %d", id), err)
	}
	d.Transitions, err = query(ctx, s, func(r row) (t Transition, err error) {
		var when int64
		err = r.Scan(&t.Status, &when)
		t.At = at(when)
		return t, err
	}, "SELECT status, at FROM transitions WHERE deployment = ? ORDER BY rowid", id)
	if err != nil {
		return d, err
	}
	d.Phases = map[string]time.Duration{}
	_, err = query(ctx, s, func(r row) (name string, err error) {
		var took time.Duration
		err = r.Scan(&name, &took)
		d.Phases[name] = took
		return name, err
	}, "SELECT phase, duration FROM phases WHERE deployment = ?", id)
	return d, err
}

// Deployments returns an app's deployments, newest first, at most limit of them (0: all), without transitions and phases.
func (s *Store) Deployments(ctx context.Context, app string, limit int) ([]Deployment, error) {
	return query(ctx, s, scanDeployment, "SELECT "+deploymentColumns+" FROM deployments WHERE app = ? ORDER BY id DESC LIMIT ?", app, orAll(limit))
}

// Unfinished returns every deployment that has not ended, oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]Deployment, error) {
	return query(ctx, s, scanDeployment, "SELECT "+deploymentColumns+" FROM deployments WHERE finished = 0 ORDER BY id")
}

// RecordPhase stores how long a part of the deployment took.
func (s *Store) RecordPhase(ctx context.Context, id int64, phase string, took time.Duration) error {
	return s.exec(ctx, "phase "+phase, "INSERT OR REPLACE INTO phases (deployment, phase, duration) VALUES (?, ?, ?)", id, phase, int64(took))
}

// AppendLog adds to what the pusher saw.
func (s *Store) AppendLog(ctx context.Context, id int64, chunk []byte) error {
	if len(chunk) == 0 { // the driver stores NULL for nil
		return nil
	}
	return s.exec(ctx, "deployment log", "INSERT INTO logs (deployment, chunk) VALUES (?, ?)", id, chunk)
}

// WriteLog writes the log to w: all that came after the chunk of that number, which is 0 for the beginning. It returns the number of the last.
func (s *Store) WriteLog(ctx context.Context, id, after int64, w io.Writer) (last int64, err error) {
	// Chunk by chunk, so that neither a long log nor a slow reader holds the database's one connection.
	for {
		var chunk []byte
		err := s.db.QueryRowContext(ctx, "SELECT seq, chunk FROM logs WHERE deployment = ? AND seq > ? ORDER BY seq LIMIT 1", id, after).Scan(&after, &chunk)
		if errors.Is(err, sql.ErrNoRows) {
			return after, nil
		}
		if err != nil {
			return after, named("deployment log", err)
		}
		if _, err := w.Write(chunk); err != nil {
			return after, err
		}
	}
}

// Release is an image with what is needed to run it, made by one deployment.
type Release struct {
	Deployment int64
	App        string
	Commit     string
	Image      string
	Stack      string
	Launcher   []string
	Types      map[string]string
	Size       int64 // bytes
	Created    time.Time
}

// SaveRelease stores a release, whose image exists, and notes the image with its deployment.
func (s *Store) SaveRelease(ctx context.Context, r Release) error {
	launcher, err := json.Marshal(r.Launcher)
	if err != nil {
		return err
	}
	types, err := json.Marshal(r.Types)
	if err != nil {
		return err
	}
	return named("release", s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO releases (deployment, app, sha, image, stack, launcher, types, size, created)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.Deployment, r.App, r.Commit, r.Image, r.Stack, launcher, types, r.Size, now())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE deployments SET image = ? WHERE id = ?", r.Image, r.Deployment)
		return err
	}))
}

const releaseColumns = "deployment, app, sha, image, stack, launcher, types, size, created"

func scanRelease(row row) (r Release, err error) {
	var launcher, types []byte
	var created int64
	if err := row.Scan(&r.Deployment, &r.App, &r.Commit, &r.Image, &r.Stack, &launcher, &types, &r.Size, &created); err != nil {
		return r, err
	}
	r.Created = at(created)
	if err := json.Unmarshal(launcher, &r.Launcher); err != nil {
		return r, fmt.Errorf("launcher: %w", err)
	}
	if err := json.Unmarshal(types, &r.Types); err != nil {
		return r, fmt.Errorf("process types: %w", err)
	}
	return r, nil
}

// Release returns the release that a deployment made.
func (s *Store) Release(ctx context.Context, deployment int64) (Release, error) {
	r, err := scanRelease(s.db.QueryRowContext(ctx, "SELECT "+releaseColumns+" FROM releases WHERE deployment = ?", deployment))
	return r, named(fmt.Sprintf("release %d", deployment), err)
}

// Releases returns an app's releases, newest first, or with "" those of all apps.
func (s *Store) Releases(ctx context.Context, app string) ([]Release, error) {
	return query(ctx, s, scanRelease, "SELECT "+releaseColumns+" FROM releases WHERE ? IN ('', app) ORDER BY deployment DESC", app)
}

// DeleteRelease forgets a release whose image is gone.
func (s *Store) DeleteRelease(ctx context.Context, deployment int64) error {
	return s.execOne(ctx, fmt.Sprintf("release %d", deployment), "DELETE FROM releases WHERE deployment = ?", deployment)
}
