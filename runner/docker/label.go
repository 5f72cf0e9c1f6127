package docker

import (
	"fmt"
	"strconv"

	"github.com/docker/docker/api/types/filters"

	"boathook/runner"
)

// The labels of a container. All of them are always set, as an image brings labels of its own and would
// otherwise speak for us. Networks have namespace and app.
const (
	labelNamespace = "boathook.namespace"
	labelApp       = "boathook.app"
	labelRelease   = "boathook.release"
	labelType      = "boathook.type"
	labelNumber    = "boathook.number"
	labelPort      = "boathook.port" // the port that it listens on, "" for none
	labelOnce      = "boathook.once" // "true" for a container of Run
	labelCall      = "boathook.call" // random, the same for all containers of one Start or Run
)

// part is what the labels of one container say.
type part struct {
	runner.Group
	number int
	port   string
	once   bool
}

func (p part) labels(namespace, call string) map[string]string {
	return map[string]string{
		labelNamespace: namespace,
		labelApp:       p.App,
		labelRelease:   p.Release,
		labelType:      p.Type,
		labelNumber:    strconv.Itoa(p.number),
		labelPort:      p.port,
		labelOnce:      strconv.FormatBool(p.once),
		labelCall:      call,
	}
}

// readLabels is the reverse of labels. A number that is none reads as 0.
func readLabels(labels map[string]string) part {
	number, err := strconv.Atoi(labels[labelNumber])
	if err != nil {
		number = 0
	}
	return part{
		Group:  runner.Group{App: labels[labelApp], Release: labels[labelRelease], Type: labels[labelType]},
		number: number,
		port:   labels[labelPort],
		once:   labels[labelOnce] == "true",
	}
}

// containerName is NAMESPACE.APP.RELEASE.TYPE-NUMBER. No part has a dot, so no two containers share a name.
func containerName(namespace string, p part) string {
	return fmt.Sprintf("%s.%s.%s.%s-%d", namespace, p.App, p.Release, p.Type, p.number)
}

// hostname is APP-TYPE-NUMBER.
func (p part) hostname() string { return fmt.Sprintf("%s-%s-%d", p.App, p.Type, p.number) }

// selected filters containers, and events about them, of this namespace.
func (e *Engine) selected(sel runner.Selector) filters.Args {
	// The builder's containers have no type, and are not this engine's.
	args := filters.NewArgs(label(labelNamespace, e.cfg.Namespace), filters.Arg("label", labelType))
	for name, value := range map[string]string{labelApp: sel.App, labelRelease: sel.Release, labelType: sel.Type} {
		if value != "" {
			args.Add("label", name+"="+value)
		}
	}
	return args
}

func label(name, value string) filters.KeyValuePair { return filters.Arg("label", name+"="+value) }
