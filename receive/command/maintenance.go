package command

import (
	"context"

	"boathook/receive/apps"
)

func maintenance() Command {
	return toggle{
		name: "maintenance", what: "the router answers all requests with the maintenance page, while deployments go on", set: (*apps.Service).SetMaintenance,
		is: func(s *apps.Service, ctx context.Context, c apps.Caller, app string) (bool, error) {
			rules, err := s.Routing(ctx, c, app)
			return rules.Maintenance, err
		},
	}.command()
}
