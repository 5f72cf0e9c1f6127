package gitpack

import (
	"fmt"
	"strings"
)

const headPrefix = "refs/heads/"

// deployable are the only refs that deploy.
func deployable(ref string) bool { return ref == headPrefix+"master" || ref == headPrefix+"main" }

// judge refuses every update that cannot deploy, by setting its reason, and returns the sentences for the pusher. It
// needs no pack.
func judge(updates []update, atomic bool) []string {
	var lines []string
	targets := 0
	for i := range updates {
		u := &updates[i]
		var said []string
		u.refused, said = judgeOne(*u)
		lines = append(lines, said...)
		if u.refused == "" {
			targets++
		}
	}
	if targets > 1 {
		lines = append(lines, "Cannot push master and main together, one push is one deployment", "git push scalingo master")
		refuseRest(updates, "master and main in one push")
	}
	if atomic && len(lines) > 0 {
		refuseRest(updates, "atomic push")
	}
	return lines
}

func refuseRest(updates []update, reason string) {
	for i := range updates {
		if updates[i].refused == "" {
			updates[i].refused = reason
		}
	}
}

// judgeOne returns git's reason, empty if the update is allowed, and what to tell the pusher.
func judgeOne(u update) (reason string, lines []string) {
	branch, isBranch := strings.CutPrefix(u.ref, headPrefix)
	tag, isTag := strings.CutPrefix(u.ref, "refs/tags/")
	switch {
	case u.deletes():
		return "deletion prohibited", []string{
			fmt.Sprintf("Cannot delete %s, what is deployed stays", u.ref),
			"git push scalingo mybranch:master deploys something else in its place"}
	case isTag:
		return "tags are not deployed", []string{
			fmt.Sprintf("Cannot push the tag %s, only master and main deploy", tag),
			fmt.Sprintf("git push scalingo '%s^{commit}:master'", tag)}
	case !isBranch:
		return "not a branch", []string{
			fmt.Sprintf("Cannot push %s, only master and main deploy", u.ref), "git push scalingo mybranch:master"}
	case !deployable(u.ref):
		return "not master or main", []string{
			"Cannot push on non-master or non-main branch", fmt.Sprintf("git push scalingo %s:master", branch)}
	}
	return "", nil
}
