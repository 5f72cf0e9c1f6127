package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"boathook/receive"
	"boathook/receive/apps"
	"boathook/router"
)

// feedSubsystem is what `boathook router` asks for on the admin socket: changes of the table, and reports on them; see router.Feed.
const feedSubsystem = "router"

// stream is both directions of a session.
type stream struct {
	io.Reader
	io.Writer
}

// feedRouter serves a `boathook router`.
func (s *server) feedRouter(ctx context.Context, session receive.Session) int {
	if s.feed == nil {
		fmt.Fprintln(session.Stderr(), "this boathook has a router of its own: start it with -http-addr none, and it leaves that to 'boathook router'")
		return 1
	}
	if err := s.feed.Serve(ctx, stream{session.Stdin(), session.Stdout()}); ctx.Err() == nil {
		s.log.Debug("router", "err", err)
	}
	return 0
}

// returnTime is in which routers that followed a boathook before follow the next one: they try every redial.
const returnTime = 2 * time.Second

// followed is deploy.Config.Followed. Routers have their time from when they can come.
func (s *server) followed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.serving:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(returnTime):
	}
	ctx, cancel := context.WithTimeout(ctx, 5*returnTime)
	defer cancel()
	return s.feed.Followed(ctx)
}

// errFollowed is the end of what was followed.
var errFollowed = errors.New("boathook has gone")

// followOnce follows the boathook that serves the socket, as long as that goes on. The error is why it has ended, never nil.
func followOnce(ctx context.Context, socket string, follower *router.Follower) error {
	client, end, err := dialAdmin(ctx, socket)
	if err != nil {
		return err
	}
	defer end()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	in, err := session.StdinPipe()
	if err != nil {
		return err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return err
	}
	words, err := session.StderrPipe()
	if err != nil {
		return err
	}
	if err := session.RequestSubsystem(feedSubsystem); err != nil {
		return fmt.Errorf("this boathook is too old for a router of its own: %w", err)
	}
	err = follower.Follow(ctx, stream{out, in})
	_ = session.Close() // it may have ended at what it does not understand
	if refusal, _ := io.ReadAll(io.LimitReader(words, 1<<10)); len(refusal) > 0 {
		return errors.New(strings.TrimSpace(string(refusal)))
	}
	return fmt.Errorf("%w: %w", errFollowed, err)
}

// fed tells people of the certificates that routers elsewhere have.
type fed struct{ *router.Feed }

// Certificate implements apps.Certificates.
func (f fed) Certificate(host string) apps.Certificate {
	is, acme, served := f.Feed.Certificate(host)
	if !served {
		return apps.Certificate{}
	}
	return explain(host, is, acme)
}
