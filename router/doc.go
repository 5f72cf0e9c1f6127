// Package router is the HTTP front of boathook: it takes a request, finds the app by its host, and passes the request to
// one of the app's web containers, in turn.
//
// What is routed where is one immutable table behind one atomic pointer, so a new version takes over at one instant for
// all its containers: [Router.Set] swaps the table and returns a [Drain]. A request that was taken before the swap
// finishes on the old containers, no request is taken for them after it, and the Drain tells when the last has ended.
//
// The package has two halves. The table, the targets and the Drain (table.go, target.go, drain.go) know nothing of
// net/http's request types; a request borrows a target with acquire and returns it with release. The other half
// (exchange.go and what it uses) is today's way of carrying one request, on [net/http/httputil.ReverseProxy].
//
// Answers that the router makes by itself carry the reason in X-Scalingo-Error, see refusal.go.
package router
