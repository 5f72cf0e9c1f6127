package router

import (
	"net"
	"net/http"
	"time"
)

// ManyPackers is manyPackers.
const ManyPackers = manyPackers

// HostKey is hostKey, for the fuzz test.
var HostKey = hostKey

// InFlight counts the requests on the targets of an app's route.
func InFlight(r *Router, app string) int {
	return (&Drain{targets: r.table.Load().app(app).targets}).InFlight()
}

// Quarantined names the targets of an app that are in quarantine.
func Quarantined(r *Router, app string) (names []string) {
	for _, t := range r.table.Load().app(app).targets {
		if t.quarantined() {
			names = append(names, t.Name)
		}
	}
	return names
}

// StapleWith has OCSP responders asked by client, which may reach any.
func StapleWith(r *Router, client *http.Client) { r.stapler.client = client }

// LimitOrders lets a router ask for no more than n certificates for a long time.
func LimitOrders(r *Router, n int) { r.keeper.issuer.orders.SetBurst(n) }

// TellOfEnds is what happens once a day.
func TellOfEnds(r *Router, now time.Time) { r.tellOfEnds(now) }

// FarAway is farAway.
var FarAway = farAway

// HasEnded tells whether the other side of a connection has ended it, and nothing is left to read, or the connection is closed here.
func HasEnded(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	return err != nil || raw.Control(func(uintptr) {}) != nil || peek(c) == ended
}

// ForceNetHTTP has net/http serve every connection of s.
func ForceNetHTTP(s *Server) { s.slow = true }

// AwaitNewcomers has Shutdown wait for newcomers for as long as limit.
func AwaitNewcomers(s *Server, limit time.Duration) { s.newcomers = limit }
