package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"boathook/receive/command"
)

// TestReadme compares the README with the program: it names every command, and the settings of its table exist with the defaults
// that it states.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := strings.FieldsFunc(section(t, string(text), "Commands"), func(r rune) bool { return strings.ContainsRune(" \n`;:", r) })
	for _, c := range command.Commands() {
		if !slices.Contains(named, c.Name) {
			t.Errorf("the command %s is not named", c.Name)
		}
	}
	settings := new(config).flags()
	rows := regexp.MustCompile("(?m)^\\| (`[^|]*) \\| ([^|]*) \\|").FindAllStringSubmatch(section(t, string(text), "Configuration"), -1)
	if len(rows) < 8 {
		t.Fatalf("%d rows in the table of settings", len(rows))
	}
	for _, row := range rows {
		stated := strings.FieldsFunc(row[2], func(r rune) bool { return strings.ContainsRune(" ,`", r) })
		for _, name := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row[1], -1) {
			f := settings.Lookup(name[1])
			if f == nil {
				t.Errorf("there is no setting %s", name[1])
				continue
			}
			holds := func(word string) bool { return word == f.DefValue || short(f.DefValue) == word }
			if f.DefValue != "" && f.DefValue != defaultData() && !slices.ContainsFunc(stated, holds) {
				t.Errorf("the default of %s is %s, not in %q", name[1], f.DefValue, row[2])
			}
		}
	}
}

// short writes a duration as a person does: 60s for 1m0s, 20m for 20m0s. Other text stays.
func short(text string) string {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return text
	case d > time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// section is the text below a heading.
func section(t *testing.T, text, title string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n## "+title+"\n")
	if !found {
		t.Fatalf("there is no section %s", title)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}
