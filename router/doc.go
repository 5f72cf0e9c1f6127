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
// HTTPS ends here (certificate.go): an app's own certificate, with the answer that the stapler has of its OCSP responder, or the one that the keeper obtains
// by ACME for a host in the table (keeper.go, acme.go). What authorities ask for meanwhile (challenge.go) is answered before any rule of an app.
//
// A [Router] need not be in the process that deploys: a [Follower] is one that does what a [Feed] says (feed.go, follower.go), and goes on by itself
// while the feed is away.
//
// Answers that the router makes by itself carry the reason in X-Scalingo-Error, see refusal.go.
package router
