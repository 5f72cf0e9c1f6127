package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"boathook/receive/command"
)

// verbs are the words that this program answers by itself.
var verbs = []string{"serve", "demo", "stack", "backup", "restore", "systemd-unit", "version", "completion"}

// completion is `boathook completion bash|zsh|fish`: it prints a script that completes the commands, their flags, and where one is
// due the names of the apps, for which it asks the server.
func completion(args []string, stdout, stderr io.Writer) int {
	scripts := map[string]func([]string, map[string][]string) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	if len(args) != 1 || scripts[args[0]] == nil {
		fmt.Fprintln(stderr, "usage: boathook completion bash|zsh|fish, e.g. source <(boathook completion bash)")
		return 2
	}
	words, flags := append([]string{}, verbs...), map[string][]string{}
	for _, c := range command.Commands() {
		words = append(words, c.Name)
		flags[c.Name] = flagsOf(c.Usage)
	}
	fmt.Fprint(stdout, scripts[args[0]](words, flags))
	return 0
}

var flagWord = regexp.MustCompile(`--?[a-z][a-z-]*`)

// flagsOf are the flags in a line of usage, "APP [-f] [--filter NAME]".
func flagsOf(usage string) []string { return append(flagWord.FindAllString(usage, -1), "--help") }

// appNames prints the names of the apps, one a line.
const appNames = `boathook apps 2>/dev/null | awk 'NR > 1 { print $1 }'`

func bashCompletion(words []string, flags map[string][]string) string {
	var b strings.Builder
	b.WriteString("_boathook() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} flags=\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n")
	fmt.Fprintf(&b, "\t\tCOMPREPLY=($(compgen -W '%s' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n", strings.Join(words, " "))
	for _, word := range words {
		if len(flags[word]) > 0 {
			fmt.Fprintf(&b, "\t%s) flags='%s' ;;\n", word, strings.Join(flags[word], " "))
		}
	}
	b.WriteString("\tesac\n\tcase $word in\n\t-*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n")
	fmt.Fprintf(&b, "\t*) [ \"$COMP_CWORD\" = 2 ] && COMPREPLY=($(compgen -W \"$(%s)\" -- \"$word\")) ;;\n\tesac\n}\ncomplete -F _boathook boathook\n", appNames)
	return b.String()
}

// zshCompletion is bash's, which zsh can run.
func zshCompletion(words []string, flags map[string][]string) string {
	return "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(words, flags)
}

func fishCompletion(words []string, flags map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "complete -c boathook -f\ncomplete -c boathook -n __fish_use_subcommand -a '%s'\n", strings.Join(words, " "))
	for _, word := range words {
		for _, flag := range flags[word] {
			kind := "-l"
			if !strings.HasPrefix(flag, "--") {
				kind = "-o"
			}
			fmt.Fprintf(&b, "complete -c boathook -n '__fish_seen_subcommand_from %s' %s %s\n", word, kind, strings.TrimLeft(flag, "-"))
		}
	}
	fmt.Fprintf(&b, "complete -c boathook -n 'test (count (commandline -opc)) -eq 2' -a '(%s)'\n", strings.ReplaceAll(appNames, "'", "\\'"))
	return b.String()
}
