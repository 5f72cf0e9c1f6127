package command

// Commands returns the table, in the order in which help lists it. Each entry is a file of this package.
func Commands() Table {
	t := Table{
		createApp(), listApps(), destroyApp(),
		listKeys(), addKey(), removeKey(),
		listUsers(), addUser(), removeUser(),
		listVariables(), getVariable(), setVariables(), unsetVariables(),
		listContainers(), scale(), restart(),
		listDeployments(), showDeployment(), deploymentLog(), redeploy(), rollback(),
		followDeployment(), cancelDeployment(), deleteCache(), appLogs(), routerLogs(),
		listCollaborators(), addCollaborator(), removeCollaborator(),
		appTimeline(), showAudit(),
	}
	return append(t, help(t))
}
