package apps

import (
	"cmp"
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

// Wish tells what is to become of the types that a scaling is about. It is given the formation as it is stored, and the types of the live
// release with their commands; these are nil before the first, when any type may come.
type Wish func(formation []state.ProcessType, types map[string]string) ([]state.ProcessType, error)

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

// Scale changes the formation, and the containers if there is a release, and returns the formation then. What is wrong whatever comes before is refused
// at once; amounts and types are those of the moment when it is the scaling's turn, as a deployment or another scaling may come before:
// waiting is told which, in lines.
func (s *Service) Scale(ctx context.Context, c Caller, name string, changes []Change, waiting func(line string)) (formation []state.ProcessType, err error) {
	action := "scale"
	for _, change := range changes {
		action += " " + change.String()
	}
	err = s.change(ctx, c, name, action, member, func(app state.App) error {
		formation, err = s.scale(ctx, app, changes, waiting)
		return err
	})
	return formation, err
}

func (s *Service) scale(ctx context.Context, app state.App, changes []Change, waiting func(line string)) ([]state.ProcessType, error) {
	for _, change := range changes {
		if err := change.check(); err != nil {
			return nil, err
		}
	}
	err := s.cfg.Runtime.Scale(ctx, app.Name, func(formation []state.ProcessType, types map[string]string) ([]state.ProcessType, error) {
		return wanted(changes, formation, types)
	}, waiting)
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.Formation(ctx, app.Name)
}

// wanted is the Wish of some changes: each type once, as the last of its changes leaves it.
func wanted(changes []Change, formation []state.ProcessType, types map[string]string) (want []state.ProcessType, err error) {
	for _, change := range changes {
		if _, known := types[change.Type]; types != nil && !known {
			return nil, invalidf("there is no process type %q: the app has %s", change.Type, strings.Join(scalable(types), ", "))
		}
		at := slices.IndexFunc(want, change.isOf)
		if at < 0 {
			at = len(want)
			want = append(want, change.before(formation))
		}
		if want[at], err = change.apply(want[at]); err != nil {
			return nil, err
		}
	}
	return want, nil
}

func scalable(types map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(types)), isHook)
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

// check finds what is wrong with a change of any formation.
func (c Change) check() error {
	switch {
	case isHook(c.Type):
		return fmt.Errorf("%s is a hook and runs by itself: it cannot be scaled", c.Type)
	case !typeName.MatchString(c.Type):
		return invalidf("%q cannot name a process type: use up to 24 letters, digits, '-' and '_'", c.Type)
	case c.Size != "" && !slices.Contains(sizes, c.Size):
		return invalidf("%q is not a size: choose S, M, L, XL, 2XL or 3XL", c.Size)
	case !c.Relative:
		return c.checkAmount(c.Amount)
	}
	return nil
}

func (c Change) checkAmount(amount int) error {
	if amount < 0 || amount > maxAmount {
		return fmt.Errorf("%s cannot have %d containers: choose 0 to %d", c.Type, amount, maxAmount)
	}
	return nil
}

func (c Change) isOf(p state.ProcessType) bool { return p.Name == c.Type }

// before is the change's type as it is; one that is new has no containers.
func (c Change) before(formation []state.ProcessType) state.ProcessType {
	if at := slices.IndexFunc(formation, c.isOf); at >= 0 {
		return formation[at]
	}
	return state.ProcessType{Name: c.Type, Size: "M"}
}

// apply changes a process type.
func (c Change) apply(p state.ProcessType) (state.ProcessType, error) {
	if c.Relative {
		p.Amount += c.Amount
	} else {
		p.Amount = c.Amount
	}
	p.Size = cmp.Or(c.Size, p.Size)
	return p, c.checkAmount(p.Amount)
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

// DeploymentLog writes what the pusher saw of a deployment, and returns that; id 0 is the newest.
func (s *Service) DeploymentLog(ctx context.Context, c Caller, app string, id int64, w io.Writer) (state.Deployment, error) {
	if _, err := s.look(ctx, c.bound(app), app, "deployment-logs", limited); err != nil {
		return state.Deployment{}, err
	}
	d, err := s.deployment(ctx, app, id)
	if err != nil {
		return state.Deployment{}, err
	}
	_, err = s.cfg.Store.WriteLog(ctx, d.ID, 0, w)
	return d, err
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
