package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPages(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	is := func(want Routing) {
		t.Helper()
		got, err := s.Routing(ctx, "my-app")
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	wantErr(t, second(s.Page(ctx, "my-app", ErrorPage)), ErrNotFound)
	wantErr(t, s.RemovePage(ctx, "my-app", ErrorPage), ErrNotFound)
	wantErr(t, s.SetPage(ctx, "other-app", Page{ErrorPage, "<p>"}), ErrNotFound)
	wantErr(t, s.SetMaintenance(ctx, "other-app", true), ErrNotFound)
	is(Routing{})
	must(t, s.SetPage(ctx, "my-app", Page{ErrorPage, "<p>one"}))
	must(t, s.SetPage(ctx, "my-app", Page{ErrorPage, "<p>two ä"}))
	must(t, s.SetPage(ctx, "my-app", Page{MaintenancePage, "<p>three"}))
	must(t, s.SetMaintenance(ctx, "my-app", true))
	is(Routing{Maintenance: true, ErrorPage: "<p>two ä", MaintenancePage: "<p>three"})
	if html, err := s.Page(ctx, "my-app", ErrorPage); err != nil || html != "<p>two ä" {
		t.Errorf("%q, %v", html, err)
	}
	must(t, s.RemovePage(ctx, "my-app", ErrorPage))
	must(t, s.SetMaintenance(ctx, "my-app", false))
	is(Routing{MaintenancePage: "<p>three"})
}
