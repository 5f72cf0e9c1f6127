package command

// Commands returns the table, in the order in which help lists it. Each entry is a file of this package.
func Commands() Table {
	t := Table{
		createApp(), listApps(), appInfo(), destroyApp(),
		listDomains(), addDomain(), removeDomain(), setCanonicalDomain(), unsetCanonicalDomain(), forceHTTPS(), stickySession(),
		listKeys(), addKey(), removeKey(),
		listTokens(), addToken(), removeToken(),
		listUsers(), addUser(), removeUser(),
		listVariables(), getVariable(), setVariables(), unsetVariables(),
		listContainers(), scale(), restart(),
		listDeployments(), showDeployment(), deploymentLog(), followDeployment(), cancelDeployment(), deleteCache(), redeploy(), rollback(), appLogs(), routerLogs(),
		listCollaborators(), addCollaborator(), removeCollaborator(),
		appTimeline(), showAudit(),
	}
	return append(t, help(t))
}
