package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"boathook/runner"
)

// Signal sends a signal to running containers of the live release, given by name or process type, in the order of their names, and returns
// the names of those that got it. Nobody gets it if one of the words means nobody.
func (d *Deployer) Signal(ctx context.Context, name, signal string, to []string) (sent []string, err error) {
	running, err := d.running(ctx, name)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(name, running, to)
	if err != nil {
		return nil, err
	}
	for _, i := range chosen {
		err := d.Engine.Signal(ctx, i.ID, signal)
		if errors.Is(err, runner.ErrNotFound) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return sent, fmt.Errorf("%s has not got %s: %w", i.Name(), signal, err)
		}
		sent = append(sent, i.Name())
	}
	if len(sent) == 0 {
		return nil, fmt.Errorf("%s has got no signal: it has ended meanwhile; 'ps %s' shows what runs", strings.Join(to, ", "), name)
	}
	return sent, nil
}

// running lists the running containers of the live release, if there is one, and the one-offs of any, but no hooks.
func (d *Deployer) running(ctx context.Context, name string) ([]runner.Instance, error) {
	app, err := d.Store.App(ctx, name)
	if err != nil || app.Live == 0 {
		return nil, err
	}
	live := strconv.FormatInt(app.Live, 10)
	all, err := d.Engine.List(ctx, runner.Selector{App: name})
	return slices.DeleteFunc(all, func(i runner.Instance) bool {
		return i.Phase != runner.Running || isHook(i.Type) || i.Release != live && i.Type != oneOff
	}), err
}

// choose picks those that the words name.
func choose(app string, running []runner.Instance, words []string) (chosen []runner.Instance, err error) {
	named := func(word string) func(runner.Instance) bool {
		return func(i runner.Instance) bool { return i.Name() == word || i.Type == word }
	}
	for _, word := range words {
		if !slices.ContainsFunc(running, named(word)) {
			return nil, nobody(app, running, word)
		}
	}
	for _, i := range running {
		if slices.ContainsFunc(words, func(word string) bool { return named(word)(i) }) {
			chosen = append(chosen, i)
		}
	}
	return chosen, nil
}

func nobody(app string, running []runner.Instance, word string) error {
	names := []string{}
	for _, i := range running {
		names = append(names, i.Name())
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no running container: 'ps %s' shows what there is", app, app)
	}
	return fmt.Errorf("%s has no running container and no process type %q: it has %s", app, word, strings.Join(names, ", "))
}

// Signal is not repeated: a signal that comes twice is another one.
func (p patient) Signal(ctx context.Context, id, signal string) error {
	return within(ctx, answerTime, func(ctx context.Context) error { return p.Engine.Signal(ctx, id, signal) })
}
