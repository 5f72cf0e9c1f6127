package deploy

import (
	"maps"
	"strconv"
	"strings"

	"boathook/receive/state"
	"boathook/runner"
)

// size is a row of the platform's table of container sizes.
type size struct {
	memory int64 // bytes
	pids   int64
	cpu    int64 // weight: low, standard, high
}

// sizes is the table of the specification ("Containers").
var sizes = map[string]size{
	"S":   {256 << 20, 128, 512},
	"M":   {512 << 20, 256, 1024},
	"L":   {1024 << 20, 512, 1024},
	"XL":  {2048 << 20, 1024, 2048},
	"2XL": {4096 << 20, 2048, 2048},
	"3XL": {8192 << 20, 4096, 2048},
}

// defaultSize is what a new process type and every hook gets.
const defaultSize = "M"

func sizeOf(name string) (string, size) {
	if s, ok := sizes[name]; ok {
		return name, s
	}
	return defaultSize, sizes[defaultSize]
}

func limitsOf(name string) runner.Limits {
	_, s := sizeOf(name)
	return runner.Limits{Memory: s.memory, PIDs: s.pids, CPU: s.cpu}
}

// resolveAliases replaces values of the form "$NAME" by the value of NAME, through several steps; a name that does not
// exist, or a circle, leaves the value as it was written.
func resolveAliases(vars map[string]string) map[string]string {
	resolved := make(map[string]string, len(vars))
	for name, value := range vars {
		seen := map[string]bool{name: true}
		final := value
		for {
			target, isAlias := strings.CutPrefix(final, "$")
			next, known := vars[target]
			if !isAlias || !known {
				break
			}
			if seen[target] {
				final = value
				break
			}
			seen[target] = true
			final = next
		}
		resolved[name] = final
	}
	return resolved
}

// environment is what every container of a release gets, before the engine adds CONTAINER, HOSTNAME and PORT. The
// platform's own names win over variables of the app.
func (d *Deployer) environment(app state.App, release state.Release, vars map[string]string, containerSize string) map[string]string {
	name, s := sizeOf(containerSize)
	env := maps.Clone(vars)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"APP":                     app.Name,
		"CONTAINER_VERSION":       release.Commit,
		"CONTAINER_SIZE":          name,
		"CONTAINER_MEMORY":        strconv.FormatInt(s.memory, 10),
		"STACK":                   release.Stack,
		"REGION_NAME":             d.Region,
		"SCALINGO_APPLICATION_ID": strconv.FormatInt(app.ID, 10),
	})
	return env
}
