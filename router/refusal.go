package router

import (
	"cmp"
	"fmt"
	"net/http"
)

// refusal is an answer of the router itself. Text is for the people who asked.
type refusal struct {
	status   int
	reason   string // for X-Scalingo-Error; for a redirection only in the access log
	text     string
	location string // of a redirection
	plain    string // the whole body, of an answer that is none of a failure; else ""
	later    string // Retry-After in seconds; "" is the usual one
}

func (e *refusal) Error() string { return e.reason }

// statusClientClosed is written to the access log only: the client went away before the answer (nginx's 499).
const statusClientClosed = 499

var (
	errUnknownHost = &refusal{status: http.StatusNotFound, reason: "unknown host",
		text: "No application answers to this name. Check the address, or add the domain to the application."}
	errNoTable = &refusal{status: http.StatusServiceUnavailable, reason: "no table",
		text: "It is not known yet where applications are. Try again in a moment."}
	errNoRelease = &refusal{status: http.StatusNotFound, reason: "no release",
		text: "This application has not been deployed yet."}
	errNoContainer = &refusal{status: http.StatusServiceUnavailable, reason: "no web container",
		text: "This application has no web container running. Its owner can scale it up."}
	errQueueFull = &refusal{status: http.StatusServiceUnavailable, reason: "request queue full",
		text: "This application has more requests waiting than it can answer. Try again in a moment."}
	errMaintenance = &refusal{status: http.StatusServiceUnavailable, reason: "maintenance", later: "60",
		text: "This application is being worked on and will be back soon. Try again in a few minutes."}
	errSevered = &refusal{status: http.StatusServiceUnavailable, reason: "version replaced",
		text: "The version of the application that was answering has been stopped. Try again."}
	errNoneReachable = &refusal{status: http.StatusBadGateway, reason: "all web containers in quarantine",
		text: "This application does not accept connections. Try again in a moment."}
	errDropped = &refusal{status: http.StatusBadGateway, reason: "connection dropped",
		text: "The application closed the connection, or sent something else than an HTTP answer."}
	errFirstByte = &refusal{status: http.StatusGatewayTimeout, reason: "first byte time-out",
		text: "The application took too long to answer."}
	errIdle = &refusal{status: http.StatusGatewayTimeout, reason: "idle time-out",
		text: "The application stopped in the middle of this request."}
	errSlowClient = &refusal{status: http.StatusRequestTimeout, reason: "request time-out",
		text: "The request was not received in time."}
	errBadBody = &refusal{status: http.StatusBadRequest, reason: "request body broken",
		text: "The body of the request could not be read to its end."}
	errBodySize = &refusal{status: http.StatusRequestEntityTooLarge, reason: "request body too large",
		text: "The request is too large."}
	errHeaderSize = &refusal{status: http.StatusRequestHeaderFieldsTooLarge, reason: "request headers too large",
		text: "The headers of the request are too large. Deleting this site's cookies may help."}
	errConnect = &refusal{status: http.StatusMethodNotAllowed, reason: "method not allowed",
		text: "CONNECT is not a method for applications."}
	errUnknownVersion = &refusal{status: http.StatusHTTPVersionNotSupported, reason: "unknown version of HTTP",
		text: "This version of HTTP is not spoken here."}
	errUnknownCoding = &refusal{status: http.StatusNotImplemented, reason: "unknown transfer coding",
		text: "The body of the request is in a transfer coding other than chunked."}
	errExpectation = &refusal{status: http.StatusExpectationFailed, reason: "unknown expectation",
		text: "The request expects something else than 100-continue."}
	errMoved = &refusal{status: http.StatusMovedPermanently, reason: "moved",
		text: "This page is somewhere else."}
)

// malformed refuses a request that is not certain to mean the same to everybody who reads it.
func malformed(why error) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "malformed request", text: "The request is not well-formed: " + why.Error() + "."}
}

// header tells set the fields of the answer, but for those of its body and its framing.
func (e *refusal) header(id string, set func(name, value string)) {
	set("Cache-Control", "no-store")
	set("X-Content-Type-Options", "nosniff")
	set("X-Request-ID", id)
	switch {
	case e.location != "":
		set("Location", e.location)
	case e.plain == "":
		set("X-Scalingo-Error", e.reason)
	}
	switch e.status {
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		set("Retry-After", cmp.Or(e.later, "5"))
	}
}

// words are the body of the answer where there is no page.
func (e *refusal) words(id string) string {
	if e.plain != "" {
		return e.plain
	}
	return fmt.Sprintf("%d %s\n\n%s\nRequest: %s\n", e.status, http.StatusText(e.status), e.text, id)
}

// final tells whether the connection ends with the answer: what is left of the request is not worth reading, or where the next
// one begins is not certain.
func (e *refusal) final() bool {
	switch e.status {
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge,
		http.StatusNotImplemented, http.StatusExpectationFailed, http.StatusHTTPVersionNotSupported, http.StatusMethodNotAllowed:
		return true
	}
	return false
}
