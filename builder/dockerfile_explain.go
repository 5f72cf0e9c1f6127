package builder

import (
	"errors"
	"fmt"
	"regexp"
)

var (
	syntaxLine   = regexp.MustCompile(`(?i)\A(?:\s*#[^\n]*\n)*?\s*#[ \t]*syntax[ \t]*=[ \t]*(\S+)`)
	loadFrontend = regexp.MustCompile(`^resolve image config for `)
	loadBase     = regexp.MustCompile(`^\[internal\] load metadata for (\S+)|^(?i:FROM)[ \t]+(?:--\S+[ \t]+)*(\S+)`)
)

// explain makes what ended a build into a sentence that says what to do. step is the one that failed: the name of
// BuildKit's vertex, or the Dockerfile's instruction. Other errors than the engine's own are returned as they are.
func (d *dockerfileBuild) explain(err error, step string) error {
	var said *engineError
	if !errors.As(err, &said) {
		return err
	}
	say(d.req.Out, " !     %s", said.text)
	failure := &Failure{Summary: badDockerBuild, Err: err}
	if m := syntaxLine.FindStringSubmatch(d.text); m != nil && loadFrontend.MatchString(step) {
		failure.Summary = fmt.Sprintf("The line \"# syntax=%s\" of the Dockerfile makes the engine fetch that image, which did not work: remove the line, as the engine builds without it", m[1])
	} else if m := loadBase.FindStringSubmatch(step); m != nil {
		failure.Summary = fmt.Sprintf("The base image %s cannot be fetched: check its name, or ask the operator to load it into the engine", m[1]+m[2])
	}
	return failure
}
