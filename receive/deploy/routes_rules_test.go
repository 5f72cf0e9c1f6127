package deploy

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/state"
	"boathook/router"
)

// TestReroute: an app's domains and rules are in the router's table at once, and stay there over a switch.
func TestReroute(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		routes := func(release string, hosts ...string) router.Route {
			return router.Route{App: "my-app", Release: release, Hosts: append([]string{"my-app.example.com"}, hosts...), Serving: true}
		}
		is := func(when string, want router.Route) {
			t.Helper()
			all := s.router.Routes()
			if len(all) != 1 {
				t.Fatalf("%s: %d routes", when, len(all))
			}
			all[0].Targets = nil
			if diff := cmp.Diff(want, all[0]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		is("before", routes("1"))
		check(t, s.store.AddDomain(t.Context(), "my-app", "shop.example.org"))
		check(t, s.store.AddDomain(t.Context(), "my-app", "*.example.net"))
		check(t, s.store.SetCanonical(t.Context(), "my-app", "shop.example.org"))
		check(t, s.store.SetForceHTTPS(t.Context(), "my-app", true))
		check(t, s.store.SetSticky(t.Context(), "my-app", true))
		check(t, s.store.SetCertificate(t.Context(), "my-app", state.Certificate{Host: "shop.example.org", Chain: "a chain", Key: "a key"}))
		check(t, s.store.SetMaintenance(t.Context(), "my-app", true))
		check(t, s.store.SetPage(t.Context(), "my-app", state.Page{Purpose: state.MaintenancePage, HTML: "<p>repair"}))
		check(t, s.store.SetPage(t.Context(), "my-app", state.Page{Purpose: state.ErrorPage, HTML: "<p>sorry"}))
		check(t, s.d.Reroute(t.Context(), "my-app"))
		want := routes("1", "*.example.net", "shop.example.org")
		want.Certificates = []router.Certificate{{Host: "shop.example.org", Chain: "a chain", Key: "a key"}}
		want.Canonical, want.ForceHTTPS, want.Sticky = "shop.example.org", true, true
		want.Maintenance, want.MaintenancePage, want.ErrorPage = true, "<p>repair", "<p>sorry"
		is("with rules", want)

		_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		check(t, err)
		synctest.Wait()
		want.Release = "2"
		is("after a deployment", want)

		check(t, s.store.RemoveDomain(t.Context(), "my-app", "shop.example.org"))
		check(t, s.d.Reroute(t.Context(), "my-app"))
		want.Hosts, want.Canonical, want.Certificates = want.Hosts[:2], "", nil
		is("without its canonical domain", want)
	})
}
