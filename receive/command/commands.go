package command

// Commands returns the table, in the order in which help lists it. Each entry is a file of this package that is called like it.
func Commands() Table {
	t := Table{
		createApp(), listApps(), appInfo(), renameApp(), destroyApp(),
		listDomains(), addDomain(), removeDomain(), setCertificate(), setCanonicalDomain(), unsetCanonicalDomain(), forceHTTPS(), stickySession(),
		maintenance(), maintenancePage(), errorPage(),
		listKeys(), addKey(), removeKey(),
		listTokens(), addToken(), removeToken(),
		listUsers(), addUser(), removeUser(),
		listVariables(), getVariable(), setVariables(), unsetVariables(),
		listContainers(), showStats(), scale(), restart(), sendSignal(), runOneOff(), stopOneOff(),
		listDeployments(), showDeployment(), deploymentLog(), followDeployment(), cancelDeployment(), deleteCache(), redeploy(), rollback(), appLogs(), routerLogs(),
		listCollaborators(), addCollaborator(), removeCollaborator(),
		appTimeline(), showAudit(),
	}
	return append(t, help(t))
}
