package builder

import (
	_ "embed"
	"fmt"
)

//go:embed launch.sh
var launchScript string

// launcher is the launcher with the interpreter that its place has.
func launcher(interpreter string) []byte {
	return fmt.Appendf(nil, "#!%s\n%s", interpreter, launchScript)
}
