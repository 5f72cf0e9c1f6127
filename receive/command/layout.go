package command

import (
	"slices"
	"strings"
)

const (
	gap    = 2  // blanks between two columns
	indent = 4  // blanks before the second line of a row, and those after it
	least  = 24 // columns of the terminal that are left of a long cell
)

// long are the columns whose cells are too long for most terminals, and tell enough by their beginning: --json has the rest.
var long = []string{"ACTION", "COMMAND", "FINGERPRINT", "ISSUER", "KEY", "RESULT"}

// prose are the columns, the last of their tables, whose cells go on below instead, as there is no telling which of their words matters.
var prose = []string{"PROBLEM", "VALUE"}

// layout is where the columns of a table are. Every one is shown: long cells are cut first, and where that is not enough a row takes several
// lines, all but the first indented. A name that is longer than such a line is left to the terminal to break, as half of it is of no use.
type layout struct {
	head   []string
	widths []int
	lines  [][]int // the columns on each line of a row
}

// layOut finds room for rows, of which the first is the header, in a terminal of limit columns; 0 is no terminal, where nothing is cut.
func layOut(rows [][]string, limit int) layout {
	t := layout{head: rows[0]}
	whole := widthsOf(rows)
	if limit == 0 {
		t.widths, t.lines = whole, [][]int{upTo(len(whole))}
		return t
	}
	t.widths = slices.Clone(whole)
	for i, name := range t.head {
		if slices.Contains(prose, name) || slices.Contains(long, name) {
			t.widths[i] = min(whole[i], least, max(limit-indent, 1))
		}
	}
	t.fill(limit)
	for i, line := range t.lines {
		t.grow(line, whole, limit-before(i))
	}
	return t
}

func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], columns(cell))
		}
	}
	return widths
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// before is the indent of a row's line.
func before(line int) int {
	if line == 0 {
		return 0
	}
	return indent
}

// fill puts as many columns on each line as fit.
func (t *layout) fill(limit int) {
	t.lines = [][]int{nil}
	at := 0
	for i, width := range t.widths {
		last := len(t.lines) - 1
		if len(t.lines[last]) > 0 && at+width > limit {
			t.lines = append(t.lines, nil)
			last, at = last+1, indent
		}
		t.lines[last] = append(t.lines[last], i)
		at += width + gap
	}
}

// grow gives the room that a line has left to its cut columns, one after another, until they are whole.
func (t *layout) grow(line, whole []int, room int) {
	for _, i := range line {
		room -= t.widths[i] + gap
	}
	for room += gap; room > 0; {
		had := room
		for _, i := range line {
			if room > 0 && t.widths[i] < whole[i] {
				t.widths[i]++
				room--
			}
		}
		if room == had {
			return
		}
	}
}

// text is a row. paint may put what takes no room around a cell.
func (t *layout) text(row []string, paint func(column int, text string) string) string {
	var b strings.Builder
	for n, line := range t.lines {
		at := before(n)
		var text strings.Builder
		text.WriteString(blanks(at))
		for _, i := range line {
			cell := row[i]
			switch {
			case slices.Contains(prose, t.head[i]):
				cell = strings.Join(wrap(cell, t.widths[i]), "\n"+blanks(at))
			case slices.Contains(long, t.head[i]):
				cell = cut(cell, t.widths[i])
			}
			text.WriteString(paint(i, cell) + blanks(t.widths[i]-columns(cell)+gap))
			at += t.widths[i] + gap
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	return b.String()
}

func blanks(n int) string { return strings.Repeat(" ", max(n, 0)) }
