package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"boathook/receive/command"
)

// completions are the scripts by shell; %[1]s are the words that may come first, %[2]s the commands whose next argument is an app. The apps are those
// that the running server lists. What comes later may be a file.
var completions = map[string]string{
	// bash(1), "Programmable Completion".
	"bash": `_boathook() {
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
`,
	// zshcompsys(1). As a file _boathook of $fpath it is the function's body, and a script elsewhere.
	"zsh": `#compdef boathook
_boathook() {
  if [[ $CURRENT == 2 || $CURRENT == 3 && $words[2] == help ]]; then
    compadd -- %[1]s
  elif (( CURRENT == 3 )) && [[ ' %[2]s ' == *" $words[2] "* ]]; then
    compadd -- $(boathook apps 2>/dev/null | awk 'NR > 1 { print $1 }')
  else
    _files
  fi
}
if [[ $funcstack[1] == _boathook ]]; then
  _boathook "$@"
else
  compdef _boathook boathook
fi
`,
	// fish's complete(1).
	"fish": `function __boathook_first
  set -l words (commandline -opc)
  test (count $words) -eq 1; or test (count $words) -eq 2 -a "$words[2]" = help
end
function __boathook_app
  set -l words (commandline -opc)
  test (count $words) -eq 2; and contains -- $words[2] %[2]s
end
complete -c boathook -n __boathook_first -f -a '%[1]s'
complete -c boathook -n __boathook_app -f -a '(boathook apps 2>/dev/null | awk "NR > 1 { print \$1 }")'
`,
}

// leadingFlags is what may stand before the first argument of a command, as its usage has it.
var leadingFlags = regexp.MustCompile(`^(\[-[^]]*\](\.\.\.)? )+`)

// verbs are the words of main that are no management commands.
var verbs = []string{"demo", "serve", "router", "stack", "backup", "restore", "systemd-unit", "completion", "version"}

// completion is `boathook completion`: it prints what a shell needs to complete the words of boathook.
func completion(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 || completions[args[0]] == "" {
		fmt.Fprintln(stderr, "boathook: which shell? 'source <(boathook completion bash)', the same with zsh, or 'boathook completion fish | source'")
		return 2
	}
	words, withApp := slices.Clone(verbs), []string{}
	for _, c := range command.Commands() {
		words = append(words, c.Name)
		if strings.HasPrefix(leadingFlags.ReplaceAllString(c.Usage, ""), "APP") {
			withApp = append(withApp, c.Name)
		}
	}
	if _, err := fmt.Fprintf(stdout, completions[args[0]], strings.Join(words, " "), strings.Join(withApp, " ")); err != nil {
		return 1
	}
	return 0
}
