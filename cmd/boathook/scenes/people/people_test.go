// Package people has the scenes of who may do what: users, keys and certificates, and for each management command what it does, to whom it is denied,
// how it may not be written, and what it prints for programs.
package people

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"boathook/cmd/boathook/scenes"
	"boathook/receive/command"
)

func TestMain(m *testing.M) { scenes.Main(m) }

func TestAccess(t *testing.T) {
	t.Parallel()
	scenes.Run(t, "testdata/access", scenes.Engines...)
}

// TestCommands runs the scenes of the management commands. The engine has no part in them, so the quicker one does.
func TestCommands(t *testing.T) {
	t.Parallel()
	scenes.Run(t, "testdata/command", "local")
}

// TestEveryCommandHasScenes looks for what issue by issue would be forgotten: a command with no scene of one kind, or none in which it is denied
// to one kind of people who may not.
func TestEveryCommandHasScenes(t *testing.T) {
	scenes := ""
	files, err := filepath.Glob("testdata/command/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scenes += string(text)
	}
	refused := refusedPeople(t)
	for _, cmd := range command.Commands() {
		for _, who := range refused[cmd.Name] {
			if !isDenied(scenes, who, cmd.Name) {
				t.Errorf("no scene in which %s is denied to %s, as the table of permissions has it", cmd.Name, who)
			}
		}
		for kind, pattern := range map[string]func(string) bool{
			"succeeds": func(line string) bool { return asks(line, "as 0 ", 3, cmd.Name) || asks(line, "json ", 2, cmd.Name) },
			"mistake":  func(line string) bool { return asks(line, "as 2 ", 3, cmd.Name) },
			"json":     func(line string) bool { return asks(line, "json ", 2, cmd.Name) },
		} {
			found := false
			for line := range strings.Lines(scenes) {
				found = found || pattern(line)
			}
			if !found {
				t.Errorf("no scene in which %s: %s", cmd.Name, kind)
			}
		}
	}
}

// refusedPeople reads the table of permissions, in the test of package command: for each command those of a scene's people who get anything but
// yes. An expired key gets nothing at all.
func refusedPeople(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../../receive/command/permissions_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	people := []string{"", "", "mallory", "lily", "carl", "ci", "alice"} // the columns: the line, what is typed, and who
	refused := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		row, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		name, named := row.Key.(*ast.BasicLit)
		cells, rowed := row.Value.(*ast.CompositeLit)
		if !named || !rowed || len(cells.Elts) != len(people) {
			return true
		}
		command := strings.Trim(name.Value, `"`)
		refused[command] = []string{"old"}
		for i, cell := range cells.Elts {
			if answer, ok := cell.(*ast.Ident); ok && people[i] != "" && answer.Name != "yes" {
				refused[command] = append(refused[command], people[i])
			}
		}
		return false
	})
	if len(refused) != len(command.Commands()) {
		t.Fatalf("%d rows are understood of the table of permissions, and there are %d commands", len(refused), len(command.Commands()))
	}
	return refused
}

// isDenied tells whether in the scenes somebody is denied a command.
func isDenied(scenes, who, command string) bool {
	for line := range strings.Lines(scenes) {
		if asks(line, "denied ", 2, command) && slices.Contains(strings.Split(strings.Fields(line)[1], ","), who) {
			return true
		}
	}
	return false
}

// asks tells whether a line of a scene begins so and has the command as its word number n, from 0.
func asks(line, prefix string, n int, name string) bool {
	words := strings.Fields(line)
	return strings.HasPrefix(line, prefix) && len(words) > n && words[n] == name
}
