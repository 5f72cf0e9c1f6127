package command

import (
	"context"

	"boathook/receive/apps"
)

func stickySession() Command {
	return toggle{
		name: "sticky-session", what: "a visitor is kept on one web container for 24 hours, by a cookie", set: (*apps.Service).SetSticky,
		is: func(s *apps.Service, ctx context.Context, c apps.Caller, app string) (bool, error) {
			rules, err := s.Routing(ctx, c, app)
			return rules.Sticky, err
		},
	}.command()
}
