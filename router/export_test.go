package router

// ManyPackers is manyPackers.
const ManyPackers = manyPackers

// HostKey is hostKey, for the fuzz test.
var HostKey = hostKey

// InFlight counts the requests on the targets of an app's route.
func InFlight(r *Router, app string) int {
	return (&Drain{r.table.Load().app(app).targets}).InFlight()
}

// Quarantined names the targets of an app that are in quarantine.
func Quarantined(r *Router, app string) (names []string) {
	for _, t := range r.table.Load().app(app).targets {
		if t.quarantined.Load() {
			names = append(names, t.Name)
		}
	}
	return names
}

// ForceNetHTTP has net/http serve every connection of s.
func ForceNetHTTP(s *Server) { s.slow = true }
