package apps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"boathook/receive/state"
)

const maxAmount = 100 // containers of one type

var (
	typeName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,24}$`) // as in a Procfile
	sizes    = []string{"S", "M", "L", "XL", "2XL", "3XL"}
)

// Change is one wish of a scale.
type Change struct {
	Type     string
	Amount   int
	Relative bool   // Amount is added to what there is
	Size     string // "" as it is
}

// Processes returns the app's formation and its containers.
func (s *Service) Processes(ctx context.Context, c Caller, app string) ([]state.ProcessType, []Container, error) {
	if _, err := s.look(ctx, c, app, "ps", limited); err != nil {
		return nil, nil, err
	}
	formation, err := s.cfg.Store.Formation(ctx, app)
	if err != nil {
		return nil, nil, err
	}
	containers, err := s.cfg.Runtime.Instances(ctx, app)
	return formation, containers, err
}

// Scale changes the formation, and the containers if there is a release.
func (s *Service) Scale(ctx context.Context, c Caller, name string, changes []Change) (formation []state.ProcessType, err error) {
	action := "scale"
	for _, change := range changes {
		action += " " + change.String()
	}
	err = s.change(ctx, c, name, action, member, func(app state.App) error {
		formation, err = s.scale(ctx, app, changes)
		return err
	})
	return formation, err
}

func (s *Service) scale(ctx context.Context, app state.App, changes []Change) ([]state.ProcessType, error) {
	formation, err := s.cfg.Store.Formation(ctx, app.Name)
	if err != nil {
		return nil, err
	}
	var known []string // nil before the first release: any type may come
	if app.Live != 0 {
		release, err := s.cfg.Store.Release(ctx, app.Live)
		if err != nil {
			return nil, err
		}
		known = slices.Sorted(maps.Keys(release.Types))
		known = slices.DeleteFunc(known, isHook)
	}
	for _, change := range changes {
		if formation, err = change.apply(formation, known, app.Live != 0); err != nil {
			return nil, err
		}
	}
	if app.Live == 0 {
		err = s.cfg.Store.SetFormation(ctx, app.Name, formation)
	} else {
		err = s.cfg.Runtime.Scale(ctx, app.Name, formation)
	}
	if err != nil {
		return nil, err
	}
	return formation, nil
}

// String is a change as the audit shows it: "web:2", "worker:+1:L".
func (c Change) String() string {
	amount := "%d"
	if c.Relative {
		amount = "%+d"
	}
	text := fmt.Sprintf("%s:"+amount, fit(typeName, c.Type), c.Amount)
	if slices.Contains(sizes, c.Size) {
		text += ":" + c.Size
	}
	return text
}

func isHook(processType string) bool { return processType == "postdeploy" || processType == "release" }

func (c Change) apply(formation []state.ProcessType, known []string, released bool) ([]state.ProcessType, error) {
	if isHook(c.Type) {
		return nil, fmt.Errorf("%s is a hook and runs by itself: it cannot be scaled", c.Type)
	}
	if !typeName.MatchString(c.Type) {
		return nil, invalidf("%q cannot name a process type: use up to 24 letters, digits, '-' and '_'", c.Type)
	}
	if released && !slices.Contains(known, c.Type) {
		return nil, invalidf("there is no process type %q: the app has %s", c.Type, strings.Join(known, ", "))
	}
	at := slices.IndexFunc(formation, func(p state.ProcessType) bool { return p.Name == c.Type })
	if at < 0 {
		formation = append(formation, state.ProcessType{Name: c.Type, Size: "M"})
		at = len(formation) - 1
	}
	p := &formation[at]
	if c.Relative {
		p.Amount += c.Amount
	} else {
		p.Amount = c.Amount
	}
	if p.Amount < 0 || p.Amount > maxAmount {
		return nil, fmt.Errorf("%s cannot have %d containers: choose 0 to %d", c.Type, p.Amount, maxAmount)
	}
	if c.Size != "" {
		if !slices.Contains(sizes, c.Size) {
			return nil, invalidf("%q is not a size: choose S, M, L, XL, 2XL or 3XL", c.Size)
		}
		p.Size = c.Size
	}
	return formation, nil
}

// Deployments returns the app's deployments, newest first; limit 0 is all.
func (s *Service) Deployments(ctx context.Context, c Caller, app string, limit int) ([]state.Deployment, error) {
	if _, err := s.look(ctx, c, app, "deployments", limited); err != nil {
		return nil, err
	}
	return s.cfg.Store.Deployments(ctx, app, limit)
}

// Deployment returns one deployment with its transitions and phases; id 0 is the newest.
func (s *Service) Deployment(ctx context.Context, c Caller, app string, id int64) (state.Deployment, error) {
	if _, err := s.look(ctx, c, app, "deployment", limited); err != nil {
		return state.Deployment{}, err
	}
	return s.deployment(ctx, app, id)
}

// DeploymentLog writes what the pusher saw; id 0 is the newest deployment.
func (s *Service) DeploymentLog(ctx context.Context, c Caller, app string, id int64, w io.Writer) error {
	if _, err := s.look(ctx, c.bound(app), app, "deployment-logs", limited); err != nil {
		return err
	}
	d, err := s.deployment(ctx, app, id)
	if err != nil {
		return err
	}
	_, err = s.cfg.Store.WriteLog(ctx, d.ID, 0, w)
	return err
}

func (s *Service) deployment(ctx context.Context, app string, id int64) (state.Deployment, error) {
	if id == 0 {
		newest, err := s.cfg.Store.Deployments(ctx, app, 1)
		if err != nil {
			return state.Deployment{}, err
		}
		if len(newest) == 0 {
			return state.Deployment{}, fmt.Errorf("%s has no deployment yet: 'git push scalingo master' makes the first", app)
		}
		id = newest[0].ID
	}
	d, err := s.cfg.Store.Deployment(ctx, id)
	if errors.Is(err, state.ErrNotFound) || err == nil && d.App != app {
		return d, fmt.Errorf("%s has no deployment %d: 'deployments %s' lists them", app, id, app)
	}
	return d, err
}
