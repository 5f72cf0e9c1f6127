package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"boathook/receive/command"
)

// completionScript is for bash (bash(1), "Programmable Completion"); %[1]s are the words that may come first, %[2]s the commands whose next
// argument is an app. The apps are those that the running server lists.
const completionScript = `_boathook() {
  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '%[1]s' -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [[ ' %[2]s ' == *" $verb "* ]]; then
    COMPREPLY=($(compgen -W "$(boathook apps 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ "$verb" = help ]; then
    COMPREPLY=($(compgen -W '%[1]s' -- "$word"))
  fi
}
complete -o default -F _boathook boathook
`

// verbs are the words of main that are no management commands.
var verbs = []string{"demo", "serve", "stack", "backup", "restore", "systemd-unit", "completion", "version"}

// completion is `boathook completion`: it prints what a shell needs to complete the words of boathook.
func completion(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 || args[0] != "bash" {
		fmt.Fprintln(stderr, "boathook: which shell? 'boathook completion bash' is for bash, and for zsh after 'autoload -U +X bashcompinit && bashcompinit'")
		return 2
	}
	words, withApp := slices.Clone(verbs), []string{}
	for _, c := range command.Commands() {
		words = append(words, c.Name)
		if strings.HasPrefix(c.Usage, "APP") {
			withApp = append(withApp, c.Name)
		}
	}
	if _, err := fmt.Fprintf(stdout, completionScript, strings.Join(words, " "), strings.Join(withApp, " ")); err != nil {
		return 1
	}
	return 0
}
