package command

import "boathook/receive/apps"

func routerLogs() Command {
	return toggle{
		name: "router-logs", what: "the requests that the router answers for the app are in its log",
		set: (*apps.Service).SetRouterLogs, is: (*apps.Service).RouterLogs,
	}.command()
}
