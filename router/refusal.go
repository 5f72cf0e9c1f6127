package router

import (
	"fmt"
	"net/http"
)

// refusal is an answer of the router itself. Reason goes to X-Scalingo-Error, text to the people who asked.
type refusal struct {
	status int
	reason string
	text   string
}

func (e *refusal) Error() string { return e.reason }

// statusClientClosed is written to the access log only: the client went away before the answer (nginx's 499).
const statusClientClosed = 499

var (
	errUnknownHost = &refusal{http.StatusNotFound, "unknown host",
		"No application answers to this name. Check the address, or add the domain to the application."}
	errNoRelease = &refusal{http.StatusNotFound, "no release",
		"This application has not been deployed yet."}
	errNoContainer = &refusal{http.StatusServiceUnavailable, "no web container",
		"This application has no web container running. Its owner can scale it up."}
	errQueueFull = &refusal{http.StatusServiceUnavailable, "request queue full",
		"This application has more requests waiting than it can answer. Try again in a moment."}
	errSevered = &refusal{http.StatusServiceUnavailable, "version replaced",
		"The version of the application that was answering has been stopped. Try again."}
	errNoneReachable = &refusal{http.StatusBadGateway, "all web containers in quarantine",
		"This application does not accept connections. Try again in a moment."}
	errDropped = &refusal{http.StatusBadGateway, "connection dropped",
		"The application closed the connection, or sent something else than an HTTP answer."}
	errFirstByte = &refusal{http.StatusGatewayTimeout, "first byte time-out",
		"The application took too long to answer."}
	errIdle = &refusal{http.StatusGatewayTimeout, "idle time-out",
		"The application stopped in the middle of this request."}
	errSlowClient = &refusal{http.StatusRequestTimeout, "request time-out",
		"The request was not received in time."}
	errBadBody = &refusal{http.StatusBadRequest, "request body broken",
		"The body of the request could not be read to its end."}
	errBodySize = &refusal{http.StatusRequestEntityTooLarge, "request body too large",
		"The request is too large."}
	errHeaderSize = &refusal{http.StatusRequestHeaderFieldsTooLarge, "request headers too large",
		"The headers of the request are too large. Deleting this site's cookies may help."}
	errConnect = &refusal{http.StatusMethodNotAllowed, "method not allowed",
		"CONNECT is not a method for applications."}
)

// write answers with the refusal. The id is what a person can quote to the app's owner.
func (e *refusal) write(w http.ResponseWriter, id string) {
	h := w.Header()
	clear(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Scalingo-Error", e.reason)
	h.Set("X-Request-ID", id)
	switch e.status {
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		h.Set("Retry-After", "5")
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusBadRequest:
		h.Set("Connection", "close") // what is left of the body is not worth reading
	}
	w.WriteHeader(e.status)
	// An error here means that the client has gone.
	_, _ = fmt.Fprintf(w, "%d %s\n\n%s\nRequest: %s\n", e.status, http.StatusText(e.status), e.text, id)
}
