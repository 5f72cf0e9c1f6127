package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

const (
	greeting    = "You've successfully authenticated on boathook, but there is no shell access\n"
	noSubsystem = "There is no %s on boathook: push with git, and run 'ssh git@HOST help' for the commands.\n"
	noArchive   = "There is no 'git archive --remote' on boathook: clone the app, then run 'git archive' in the clone.\n"
	tooLong     = "That command is too long: a command has at most 163,840 bytes. A long value can come on standard input: env-set APP NAME=- < FILE.\n"
)

// maxLine bounds a command, in bytes: the longest value of a variable has 32,768 characters of up to four bytes, and there are 32 KiB for what is
// around it. x/crypto takes no packet of more than 256 KiB.
const maxLine = 160 << 10

// unwatched is the cause with which a session's context ends when nobody is there any more, or who is there wants no more: it is
// [context.Canceled], about which there is nothing to say, while any other cause is for the client to read.
type unwatched string

const (
	errClientGone unwatched = "the client is gone"
	errSignal     unwatched = "the client sent a signal"
)

func (u unwatched) Error() string { return string(u) }

func (unwatched) Is(target error) bool { return target == context.Canceled }

// session is one channel: the requests that prepare it, then one command.
type session struct {
	ch   gossh.Channel
	conn *gossh.ServerConn
	// Set before the command starts.
	width    int
	terminal *Terminal
	resized  chan Size // the terminal's; only requests writes to it
}

func (s *session) Stdin() io.Reader     { return s.ch }
func (s *session) Stdout() io.Writer    { return s.lined(s.ch) }
func (s *session) Stderr() io.Writer    { return s.lined(s.ch.Stderr()) }
func (s *session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }
func (s *session) Width() int           { return s.width }
func (s *session) Terminal() *Terminal  { return s.terminal }

// lined writes lines as the client shows them.
func (s *session) lined(w io.Writer) io.Writer {
	if s.terminal != nil {
		return crlf{w}
	}
	return w
}

// session is the channel handler; it returns when the channel is closed and its command has ended.
func (c *conn) session(_ *ssh.Server, sc *gossh.ServerConn, offer gossh.NewChannel, _ ssh.Context) {
	if !c.count(1, 0) {
		c.warn("refuse session", offer.Reject(gossh.ResourceShortage, "too many sessions on this connection"))
		return
	}
	defer c.count(-1, 0)
	who, err := c.again(c.life)
	if err != nil {
		c.warn("refuse session", offer.Reject(gossh.Prohibited, "your access has ended"))
		if errors.Is(err, errRefused) {
			c.expel(err)
		}
		return
	}
	ch, requests, err := offer.Accept()
	if err != nil {
		c.warn("accept session", err)
		return
	}
	c.requests(who, &session{ch: ch, conn: sc}, requests)
}

// requests answers a channel's requests (RFC 4254, section 6) until it is closed. As x/crypto closes requests when the
// client closes the channel and when the connection ends, this is also how a command learns that nobody waits for it.
func (c *conn) requests(who Identity, s *session, requests <-chan *gossh.Request) {
	ctx, cancel := context.WithCancelCause(c.life)
	var command sync.WaitGroup
	defer command.Wait()
	defer cancel(errClientGone)
	started := false
	for req := range requests {
		ok, start := false, func() {}
		switch req.Type {
		case "exec", "shell", "subsystem":
			run, err := c.command(who, s, req)
			if err != nil || started || !c.server.begin() {
				break
			}
			ok, started = true, true
			start = func() {
				alive, stop := context.WithCancel(ctx)
				command.Go(func() {
					defer c.server.running.Done()
					defer stop()
					c.run(ctx, s, run)
				})
				command.Go(func() { c.keepAlive(alive, s.conn) }) // may outlive the command, until its question is answered
			}
		case "pty-req":
			ok = !started && s.terminal == nil && s.pty(req.Payload)
		case "window-change":
			s.windowChange(req.Payload)
		case "signal":
			cancel(errSignal)
			ok = true
		}
		// Everything else (env, agent, X11, …) is refused.
		if req.WantReply {
			c.warn("reply", req.Reply(ok, nil))
		}
		start() // not before the reply: a quick command would close the channel first, and the client read EOF
	}
}

// command is what a request wants to be run. An error is a malformed request.
func (c *conn) command(who Identity, s *session, req *gossh.Request) (func(context.Context) int, error) {
	if req.Type == "shell" {
		return s.say(s.Stdout(), 0, greeting), nil
	}
	var text struct{ Value string }
	if err := gossh.Unmarshal(req.Payload, &text); err != nil {
		return nil, fmt.Errorf("%s request: %w", req.Type, err)
	}
	switch {
	case len(text.Value) > maxLine:
		return s.say(s.Stderr(), 2, tooLong), nil
	case req.Type == "subsystem":
		if serve := c.server.cfg.Subsystems[text.Value]; serve != nil && who.Operator {
			return func(ctx context.Context) int { return serve(ctx, s) }, nil
		}
		return s.say(s.Stderr(), 1, fmt.Sprintf(noSubsystem, printable(text.Value))), nil
	}
	work := c.server.cfg.Sessions
	git, err := ParseGit(text.Value)
	return func(ctx context.Context) int {
		c.server.cfg.Log.Debug("ssh session", "remote", s.RemoteAddr().String(), "user", who.User, "service", string(git.Service), "app", git.App)
		switch {
		case err != nil:
			return s.say(s.Stderr(), 128, err.Error()+"\n")(ctx)
		case git.Service == ReceivePack:
			return work.ReceivePack(ctx, who, git.App, s)
		case git.Service == UploadPack:
			return work.UploadPack(ctx, who, git.App, s)
		case git.Service == UploadArchive:
			return s.say(s.Stderr(), 128, noArchive)(ctx)
		default:
			return work.Command(ctx, who, text.Value, s)
		}
	}, nil
}

// say answers with a text and an exit status.
func (s *session) say(w io.Writer, status int, text string) func(context.Context) int {
	return func(context.Context) int {
		if _, err := io.WriteString(w, text); err != nil {
			return 1
		}
		return status
	}
}

// run runs a command and sends its exit status, whatever happens in it.
func (c *conn) run(ctx context.Context, s *session, command func(context.Context) int) {
	c.count(0, 1)
	defer c.count(0, -1)
	status := c.protect(ctx, s, command)
	_, err := s.ch.SendRequest("exit-status", false, gossh.Marshal(struct{ Status uint32 }{uint32(status) & 0xff}))
	c.warn("exit status", ignoreEOF(err))
	c.warn("close session", ignoreEOF(s.ch.Close()))
	if s.terminal != nil {
		s.terminal.lines.Wait()
	}
}

// protect keeps a panic in one session from ending the server and everybody else's push.
func (c *conn) protect(ctx context.Context, s *session, command func(context.Context) int) (status int) {
	defer func() {
		if p := recover(); p != nil {
			c.server.cfg.Log.Error("panic in a session", "remote", s.RemoteAddr().String(), "err", p, "stack", string(debug.Stack()))
			s.say(s.Stderr(), 1, "boathook made a mistake here; its log says which. Try again, or ask who runs this server.\n")(ctx)
			status = 1
		}
	}()
	return command(ctx)
}

// keepAlive asks the client for an answer, any answer, until ctx ends. What comes back moves the read deadline; nobody
// waits for it here, so that a client that is only slow does not count as dead.
func (c *conn) keepAlive(ctx context.Context, sc *gossh.ServerConn) {
	tick := time.NewTicker(c.server.cfg.KeepAlive)
	defer tick.Stop()
	var asking sync.WaitGroup
	defer asking.Wait()
	busy := make(chan struct{}, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case busy <- struct{}{}:
			asking.Go(func() {
				defer func() { <-busy }()
				_, _, err := sc.SendRequest("keepalive@openssh.com", true, nil)
				c.warn("keepalive", err)
			})
		default: // the last question is still open
		}
	}
}

// ignoreEOF drops what x/crypto says of a channel that the client has closed already.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
