package receive

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Service is what git wants of the server.
type Service string

// The services of git over SSH; the empty Service is a line that is not git's.
const (
	ReceivePack   Service = "git-receive-pack"
	UploadPack    Service = "git-upload-pack"
	UploadArchive Service = "git-upload-archive"
)

// Git is a command line of git's.
type Git struct {
	Service Service
	App     string // empty for UploadArchive
}

// ErrAppName is the error of ParseGit for a path that cannot be an app's.
var ErrAppName = errors.New("not an app's address")

// App names: 6 to 48 of lower-case letters, digits and single hyphens, none at an end.
var appName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const minName, maxName = 6, 48

// ParseGit reads the line that git sends to an SSH server: git-receive-pack 'PATH' (or "git receive-pack"), PATH quoted
// as git quotes it, or not at all. PATH is my-app, my-app.git or /my-app.git, and may have scalingo.com: in front, by
// which the scalingo command line finds the app in a remote. A line of something else is the zero Git.
func ParseGit(line string) (Git, error) {
	rest, dashed := strings.CutPrefix(line, "git-")
	if !dashed {
		var spaced bool
		if rest, spaced = strings.CutPrefix(line, "git "); !spaced {
			return Git{}, nil
		}
		rest = strings.TrimLeft(rest, " ")
	}
	verb, path, _ := strings.Cut(rest, " ")
	git := Git{Service: Service("git-" + verb)}
	switch git.Service {
	case UploadArchive:
		return git, nil
	case ReceivePack, UploadPack:
	default:
		return Git{}, nil
	}
	name, ok := unquote(strings.Trim(path, " "))
	if ok {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "/"), "scalingo.com:")
		name = strings.TrimSuffix(strings.TrimPrefix(name, "/"), ".git")
	}
	if !ok || len(name) < minName || len(name) > maxName || !appName.MatchString(name) {
		return git, fmt.Errorf("%q is %w: use git@HOST:APP.git, APP being 6 to 48 lower-case letters, digits and single hyphens", shorten(path), ErrAppName)
	}
	git.App = name
	return git, nil
}

// unquote undoes git's sq_quote: everything in single quotes, but ' and ! as '\” and '\!'. A word without quotes stays
// as it is; half a quote is no word.
func unquote(s string) (string, bool) {
	if !strings.HasPrefix(s, "'") {
		return s, !strings.ContainsAny(s, `'"\ `)
	}
	var out strings.Builder
	for {
		inside, after, closed := strings.Cut(s[1:], "'")
		if !closed {
			return "", false
		}
		out.WriteString(inside)
		switch {
		case after == "":
			return out.String(), true
		case len(after) >= 3 && (after[:3] == `\''` || after[:3] == `\!'`):
			out.WriteByte(after[1])
			s = after[2:]
		default:
			return "", false
		}
	}
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// printable is a name of the client's in a form that cannot drive its terminal.
func printable(s string) string { return strings.Trim(fmt.Sprintf("%+q", shorten(s)), `"`) }
