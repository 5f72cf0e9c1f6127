package command

import (
	"context"

	"boathook/receive/apps"
)

func forceHTTPS() Command {
	return toggle{
		name: "force-https", what: "plain HTTP is redirected to HTTPS", set: (*apps.Service).SetForceHTTPS,
		is: func(s *apps.Service, ctx context.Context, c apps.Caller, app string) (bool, error) {
			rules, err := s.Routing(ctx, c, app)
			return rules.ForceHTTPS, err
		},
	}.command()
}
