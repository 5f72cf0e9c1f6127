package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"

	"boathook/receive"
	"boathook/receive/apps"
	"boathook/receive/command"
	"boathook/receive/deploy"
	"boathook/receive/gitpack"
)

// keys finds out whose key it is.
type keys struct{ apps *apps.Service }

// Identify implements receive.KeyStore.
func (k keys) Identify(ctx context.Context, wire []byte, remote net.Addr) (receive.Identity, error) {
	c, err := k.apps.Login(ctx, wire, remote)
	var why apps.NoLogin
	switch {
	case errors.Is(err, apps.ErrUnknownKey):
		err = receive.ErrUnknownKey
	case errors.As(err, &why):
		err = receive.NoLogin(why)
	}
	return receive.Identity{User: c.User, Admin: c.Admin, Fingerprint: c.Fingerprint, Certificate: c.Certificate, App: c.App, Until: c.Until}, err
}

// sessions is what an SSH session may do: push, clone, or a management command.
type sessions struct {
	log      *slog.Logger
	apps     *apps.Service
	repos    *gitpack.Repos
	deployer *deploy.Deployer
	commands command.Table
	remote   string // what comes before "APP.git" in the URL of a git remote

	pushes atomic.Int64 // under way, from the first byte
}

// callerOf is who comes from remote.
func callerOf(who receive.Identity, remote net.Addr) apps.Caller {
	return apps.Caller{
		User: who.User, Admin: who.Admin, Operator: who.Operator, Fingerprint: who.Fingerprint, Certificate: who.Certificate,
		App: who.App, Until: who.Until, Remote: remote.String(),
	}
}

// ReceivePack implements receive.Sessions: git push.
func (d *sessions) ReceivePack(ctx context.Context, who receive.Identity, app string, s receive.Session) int {
	d.pushes.Add(1)
	defer d.pushes.Add(-1)
	ctx, visit := d.apps.Enter(ctx, callerOf(who, s.RemoteAddr()))
	defer visit.Leave()
	if err := d.apps.MayDeploy(ctx, visit.Caller, app); err != nil {
		return refuse(s, err)
	}
	push := &recordedPush{Push: deploy.Push{Deployer: d.deployer, Pusher: who.User, Access: visit.Access}, sessions: d, caller: visit.Caller}
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
	ctx, visit := d.apps.Enter(ctx, callerOf(who, s.RemoteAddr()))
	defer visit.Leave()
	if err := d.apps.MayClone(ctx, visit.Caller, app); err != nil {
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

// loggedIn records where a key was used.
func (d *sessions) loggedIn(who receive.Identity, remote net.Addr) {
	if err := d.apps.LoggedIn(context.Background(), callerOf(who, remote)); err != nil {
		d.log.Error("use of a key not recorded", "user", who.User, "key", who.Fingerprint, "err", err)
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
	ctx, visit := d.apps.Enter(ctx, callerOf(who, s.RemoteAddr()))
	defer visit.Leave()
	call := &command.Call{
		Args: args, Line: line, Caller: visit.Caller, Service: d.apps, Remote: d.remote,
		Stdin: s.Stdin(), Stdout: s.Stdout(), Stderr: s.Stderr(), Width: s.Width(),
	}
	switch t := s.Terminal(); {
	case t == nil:
	case d.commands.Raw(args):
		call.Terminal = &command.Terminal{Terminal: apps.Terminal{Type: t.Type, Size: t.Size, Resized: t.Resized}, In: t.In, Out: t.Out}
	default:
		ctx, call.Stdin, call.Stdout = t.Lines(ctx)
		call.Stderr = call.Stdout
	}
	return d.commands.Run(ctx, call)
}
