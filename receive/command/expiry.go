package command

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// expiry is the flag --expires, the end of a key or a token: a day, which is its last one (UTC), or a number of days from now: "90d".
type expiry struct{ time.Time }

func (e *expiry) String() string { return "" }

var days = regexp.MustCompile(`^[1-9][0-9]{0,4}d$`)

func (e *expiry) Set(text string) error {
	if days.MatchString(text) {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
		e.Time = time.Now().AddDate(0, 0, n)
		return err
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return usagef("give the last day, like 2026-12-31, or a number of days, like 90d")
	}
	e.Time = day.AddDate(0, 0, 1)
	return nil
}
