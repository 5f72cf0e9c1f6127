package receive

import (
	"context"
	"errors"
	"fmt"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// endGrace is what sessions have to say goodbye when their access has ended: a deployment that is aborted first removes what it has started.
const endGrace = time.Minute

var errNobody = errors.New("not authenticated")

// accepted ends the login's deadline, and begins that of who came with key.
func (c *conn) accepted(who Identity, key gossh.PublicKey) {
	c.mu.Lock()
	c.authenticated, c.key = true, key
	if !who.Until.IsZero() {
		c.expiry = time.AfterFunc(time.Until(who.Until), func() { c.expel(fmt.Errorf("expired at %s", who.Until.UTC().Format(time.DateTime))) })
	}
	c.mu.Unlock()
	c.extend()
	if c.server.cfg.LoggedIn != nil {
		c.server.cfg.LoggedIn(who, c.RemoteAddr())
	}
}

func (c *conn) stopExpiry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.expiry != nil {
		c.expiry.Stop()
	}
}

// again finds out anew who has logged in. Who could not any more is errRefused, and nobody yet errNobody.
func (c *conn) again(ctx context.Context) (Identity, error) {
	if c.admin {
		return Identity{Operator: true}, nil
	}
	c.mu.Lock()
	key := c.key
	c.mu.Unlock()
	if key == nil {
		return Identity{}, errNobody
	}
	return c.identify(ctx, loginUser, key)
}

// expel ends the sessions, and then the connection: at once if none runs.
func (c *conn) expel(why error) {
	c.server.cfg.Log.Info("ssh connection ended", "remote", c.RemoteAddr().String(), "err", why)
	c.end(ErrEnded)
	c.mu.Lock()
	c.expelled = true
	idle := c.sessions == 0
	c.mu.Unlock()
	if idle {
		c.hangUp()
		return
	}
	time.AfterFunc(endGrace, func() { c.Close() })
}

// hangUp closes the connection behind what was written. To close both directions at once would reset a connection on which something
// is still to be read, and the client would lose what it has not read yet.
func (c *conn) hangUp() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.Close()
		return
	}
	time.AfterFunc(endGrace, func() { c.Close() })
}
