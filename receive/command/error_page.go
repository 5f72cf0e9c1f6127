package command

import "boathook/receive/state"

func errorPage() Command {
	return pageOf{state.ErrorPage, "where the router answers 502, 503 or 504"}.command()
}
