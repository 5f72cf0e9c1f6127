package router

import (
	"errors"
	"net/http"
	"strings"
)

// repeat decides whether a request that a container has not begun to answer may go to another one. It may where no connection was made, since nothing of the
// request has arrived; and once where the connection was lost, if the request may be repeated: RFC 9110, 9.2.2. Only once, as it may be the request
// that kills the container.
type repeat struct {
	fresh bool // the next connection must be a new one
	lost  bool // a connection was lost
}

func (r *repeat) elsewhere(err error, idempotent bool) bool {
	r.fresh = false
	if noConn := new(dialError); errors.As(err, &noConn) {
		return true
	}
	again := idempotent && !r.lost
	r.lost = true
	return again
}

// refusal is why if no connection was lost before: that is the better reason.
func (r *repeat) refusal(why *refusal) *refusal {
	if r.lost {
		return errDropped
	}
	return why
}

// tellTransport has http.Transport repeat PUT and DELETE, which it does not by itself, and nothing because a client says so. Transport takes a request with
// one of two fields for idempotent, a POST too, and does not send a field without a value. A client's own goes on in lower case, which is the same field to
// the container and none to Transport.
func tellTransport(h http.Header, idempotent bool) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if keys := h[name]; keys != nil {
			delete(h, name)
			h[strings.ToLower(name)] = keys
		}
	}
	if idempotent {
		h["X-Idempotency-Key"] = nil
	}
}
