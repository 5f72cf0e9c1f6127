package command

import "boathook/receive/state"

func maintenancePage() Command {
	return pageOf{state.MaintenancePage, "while it is in maintenance"}.command()
}
