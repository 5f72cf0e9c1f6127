// Package router is the HTTP front of boathook: it takes a request, finds the app by its host, and passes the request to
// one of the app's web containers, in turn.
//
// What is routed where is one immutable table behind one atomic pointer, so a new version takes over at one instant for
// all its containers: [Router.Set] swaps the table and returns a [Drain]. A request that was taken before the swap
// finishes on the old containers, no request is taken for them after it, and the Drain tells when the last has ended.
//
// The table, the targets and the Drain (table.go, target.go, drain.go) know nothing of how a request is carried; whoever carries one borrows a
// target with acquire and returns it with release. There are two ways:
//
//   - HTTP/1.1 is carried by hand. A conn serves a client's connection, a passage one request on it: receive (wire.go, request.go, uri.go), ask a
//     container (try.go, upstream.go), pass its answer (response.go, pass.go, stream.go). What is not certain to mean the same to everybody who reads it is
//     refused. The patrol looks after time-outs and clients that have gone.
//   - HTTP/2 is carried by [net/http] and [net/http/httputil.ReverseProxy]: exchange.go and what it uses.
//
// Both have the same rules and pass the same tests.
//
// Answers that the router makes by itself carry the reason in X-Scalingo-Error, see refusal.go.
package router
