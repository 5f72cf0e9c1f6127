package receive

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// ErrInUse is the error of ListenAdmin while another boathook serves the socket.
var ErrInUse = errors.New("another boathook is running here")

// adminListener removes its socket when it is closed.
type adminListener struct {
	*net.UnixListener
	path string

	once sync.Once
	err  error
}

// ListenAdmin makes the socket by which the operator commands this boathook. Its mode is the authentication: 0600 from
// the first moment, as it is bound in a directory of mode 0700 and then moved into place. A socket that a dead boathook
// left is replaced; the caller sees to it that no two of them begin at the same time.
func ListenAdmin(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l, err := bindPrivately(path)
	if err != nil {
		return nil, err
	}
	return &adminListener{UnixListener: l, path: path}, nil
}

// bindPrivately binds a socket and moves it to path, over a socket that nobody serves, and over nothing else.
func bindPrivately(path string) (*net.UnixListener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is in the way: it is not a socket", path)
		}
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, fmt.Errorf("%w (%s answers)", ErrInUse, path)
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	private := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: private, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("%w (a socket's path has at most 107 characters)", err)
	}
	l.SetUnlinkOnClose(false) // it would remove the name it was bound to
	if err = os.Chmod(private, 0o600); err == nil {
		err = os.Rename(private, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close stops listening; more calls give the same answer.
func (l *adminListener) Close() error {
	l.once.Do(func() { l.err = errors.Join(os.Remove(l.path), l.UnixListener.Close()) })
	return l.err
}
