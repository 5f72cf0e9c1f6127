package deploy

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// masked stands where the value of a variable would have been printed.
const masked = "[masked]"

// shortestSecret is the length from which a value is masked: masking "1" or "true" would make every log unreadable.
const shortestSecret = 6

// settings are variables that steer the build and whose values a person wants to read in its output.
var settings = []string{"BUILDPACK_URL", "BUILDPACK_NAME", "PROJECT_DIR"}

// secretsOf lists what must not be printed: every value, and every line of a value of several lines, since output is
// masked by the line. Of a setting only a password in a URL is secret.
func secretsOf(vars map[string]string) []string {
	var secrets []string
	for name, value := range vars {
		if slices.Contains(settings, name) {
			value = ""
			if u, err := url.Parse(vars[name]); err == nil && u.User != nil {
				value = u.User.String()
			}
		}
		for line := range strings.SplitSeq(value, "\n") {
			if line = strings.TrimSpace(line); len(line) >= shortestSecret {
				secrets = append(secrets, line)
			}
		}
	}
	return secrets
}

// mask hides secrets in output.
type mask struct {
	secrets  []string // longest first, so that one that contains another leaves no rest
	longest  int      // bytes
	replacer *strings.Replacer
}

func newMask(secrets []string) *mask {
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	m := &mask{secrets: slices.Compact(secrets)}
	var pairs []string
	for _, secret := range m.secrets {
		pairs = append(pairs, secret, masked)
		m.longest = max(m.longest, len(secret))
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m
}

func (m *mask) replace(text string) string { return m.replacer.Replace(text) }

// cut says where to break text near at, so that no secret is broken. text is at least m.longest bytes longer than at.
func (m *mask) cut(text string, at int) int {
	for _, secret := range m.secrets {
		from := max(0, at-len(secret)+1)
		found := strings.Index(text[from:min(len(text), at+len(secret)-1)], secret)
		switch {
		case found < 0:
		case from+found > 0:
			return m.cut(text, from+found)
		default:
			return len(secret)
		}
	}
	return at
}

// harmless is output as anybody may read it at a terminal: values of variables are masked, and nothing in it drives the terminal.
func harmless(output string, vars map[string]string) string {
	hide := newMask(secretsOf(vars))
	lines := strings.Split(output, "\n")
	for n, line := range lines {
		lines[n] = printable(hide.replace(line))
	}
	return strings.Join(lines, "\n")
}

// sgr is the only escape sequence that passes: Select Graphic Rendition, i.e. colours (ECMA-48, 8.3.117).
var sgr = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// otherEscapes are sequences that drive a terminal; they are removed with their parameters.
var otherEscapes = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])`)

// printable removes from a line what could drive the reader's terminal and keeps colours and tabs.
func printable(line string) string {
	if isPlain(line) {
		return line
	}
	var b strings.Builder
	rest := strings.ToValidUTF8(line, "\uFFFD")
	for rest != "" {
		at := strings.IndexByte(rest, 0x1b)
		if at < 0 {
			writePrintable(&b, rest)
			break
		}
		writePrintable(&b, rest[:at])
		rest = rest[at:]
		switch colour := sgr.FindStringIndex(rest); {
		case colour != nil && colour[0] == 0:
			b.WriteString(rest[:colour[1]])
			rest = rest[colour[1]:]
		default:
			if other := otherEscapes.FindStringIndex(rest); other != nil && other[0] == 0 {
				rest = rest[other[1]:]
			} else {
				rest = rest[1:]
			}
		}
	}
	return b.String()
}

func isPlain(line string) bool {
	for i := range len(line) {
		if c := line[i]; c < 0x20 && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// writePrintable drops C0 and C1 controls and the marks that reorder text.
func writePrintable(b *strings.Builder, text string) {
	for _, r := range text {
		if r == '\t' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			b.WriteRune(r)
		}
	}
}
