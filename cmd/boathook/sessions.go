package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"boathook/receive"
	"boathook/receive/apps"
	"boathook/receive/command"
	"boathook/receive/deploy"
	"boathook/receive/gitpack"
	"boathook/receive/state"
)

// keys finds out whose key it is.
type keys struct{ store *state.Store }

// Identify implements receive.KeyStore.
func (k keys) Identify(ctx context.Context, wire []byte) (receive.Identity, error) {
	key, err := k.store.KeyByBlob(ctx, wire)
	if errors.Is(err, state.ErrNotFound) {
		return receive.Identity{}, receive.ErrUnknownKey
	}
	if err != nil {
		return receive.Identity{}, err
	}
	user, err := k.store.User(ctx, key.User)
	if err != nil {
		return receive.Identity{}, err
	}
	return receive.Identity{User: user.Name, Admin: user.Admin, Fingerprint: key.Fingerprint}, nil
}

// sessions is what an SSH session may do: push, clone, or a management command.
type sessions struct {
	store    *state.Store
	log      *slog.Logger
	apps     *apps.Service
	repos    *gitpack.Repos
	deployer *deploy.Deployer
	commands command.Table
	remote   string // what comes before "APP.git" in the URL of a git remote
}

// caller is who asks in this session, whose key is in use now.
func (d *sessions) caller(ctx context.Context, who receive.Identity, s receive.Session) apps.Caller {
	if who.Fingerprint != "" {
		if err := d.store.TouchKey(ctx, who.Fingerprint); err != nil {
			d.log.Error("use of a key not recorded", "user", who.User, "key", who.Fingerprint, "err", err)
		}
	}
	return apps.Caller{User: who.User, Admin: who.Admin, Operator: who.Operator, Fingerprint: who.Fingerprint, Remote: s.RemoteAddr().String()}
}

// ReceivePack implements receive.Sessions: git push.
func (d *sessions) ReceivePack(ctx context.Context, who receive.Identity, app string, s receive.Session) int {
	caller := d.caller(ctx, who, s)
	if err := d.apps.MayDeploy(ctx, caller, app); err != nil {
		return refuse(s, err)
	}
	push := &recordedPush{Push: deploy.Push{Deployer: d.deployer, Pusher: who.User}, sessions: d, caller: caller}
	if who.Operator {
		push.Pusher = "operator"
	}
	exit := d.repos.ReceivePack(ctx, app, s.Stdin(), s.Stdout(), s.Stderr(), push)
	if exit != 0 && !push.asked {
		push.record(ctx, app, "", "", errNotTaken)
	}
	return exit
}

// UploadPack implements receive.Sessions: git clone and fetch.
func (d *sessions) UploadPack(ctx context.Context, who receive.Identity, app string, s receive.Session) int {
	if err := d.apps.MayClone(ctx, d.caller(ctx, who, s), app); err != nil {
		return refuse(s, err)
	}
	return d.repos.UploadPack(ctx, app, s.Stdin(), s.Stdout(), s.Stderr())
}

// errNotTaken is for the audit: what the pusher was told, a branch that does not deploy for one, is in the log.
var errNotTaken = errors.New("not taken")

// recordedPush is a push whose outcome is put into the audit.
type recordedPush struct {
	deploy.Push
	sessions *sessions
	caller   apps.Caller
	asked    bool // Deploy was called
}

// Deploy implements gitpack.Handler.
func (p *recordedPush) Deploy(ctx context.Context, push *gitpack.Push) error {
	p.asked = true
	err := p.Push.Deploy(ctx, push)
	p.record(ctx, push.App, push.Ref, push.New, err)
	return err
}

// record logs what it cannot store: what the push came to is decided already.
func (p *recordedPush) record(ctx context.Context, app, ref, commit string, result error) {
	if err := p.sessions.apps.Pushed(ctx, p.caller, app, ref, commit, result); err != nil {
		p.sessions.log.Error("push not recorded", "app", app, "user", p.caller.User, "err", err)
	}
}

// loginRefused records that nobody's key was used to log in.
func (d *sessions) loginRefused(remote net.Addr, fingerprint string, why error) {
	if err := d.apps.KeyRefused(context.Background(), fingerprint, remote.String(), why.Error()); err != nil {
		d.log.Error("refused login not recorded", "remote", remote.String(), "err", err)
	}
}

// refuse answers git before anything is sent: the client prints "fatal: remote error: TEXT".
func refuse(s receive.Session, err error) int {
	if err := gitpack.RefuseEarly(s.Stdout(), err.Error()); err != nil {
		return 1
	}
	return 128
}

// Command implements receive.Sessions.
func (d *sessions) Command(ctx context.Context, who receive.Identity, line string, s receive.Session) int {
	args, err := command.Split(line)
	if err != nil {
		fmt.Fprintln(s.Stderr(), err)
		return 2
	}
	return d.commands.Run(ctx, &command.Call{
		Args: args, Caller: d.caller(ctx, who, s), Service: d.apps, Remote: d.remote,
		Stdin: s.Stdin(), Stdout: s.Stdout(), Stderr: s.Stderr(), Width: s.Width(),
	})
}
