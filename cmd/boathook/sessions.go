package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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
	if err := d.apps.MayDeploy(ctx, d.caller(ctx, who, s), app); err != nil {
		return refuse(s, err)
	}
	pusher := who.User
	if who.Operator {
		pusher = "operator"
	}
	return d.repos.ReceivePack(ctx, app, s.Stdin(), s.Stdout(), s.Stderr(), deploy.Push{Deployer: d.deployer, Pusher: pusher})
}

// UploadPack implements receive.Sessions: git clone and fetch.
func (d *sessions) UploadPack(ctx context.Context, who receive.Identity, app string, s receive.Session) int {
	if err := d.apps.MayDeploy(ctx, d.caller(ctx, who, s), app); err != nil {
		return refuse(s, err)
	}
	return d.repos.UploadPack(ctx, app, s.Stdin(), s.Stdout(), s.Stderr())
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
		Args: args, Caller: d.caller(ctx, who, s), Service: d.apps,
		Stdin: s.Stdin(), Stdout: s.Stdout(), Stderr: s.Stderr(),
	})
}
