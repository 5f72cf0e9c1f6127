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

// lastYear is the last in which something may end: the times of JSON have four digits for it (RFC 3339).
const lastYear = 9999

func (e *expiry) Set(text string) (err error) {
	if e.Time, err = endOf(text); err != nil {
		return err
	}
	if e.UTC().Year() > lastYear {
		return usagef("choose a last day before 9999-12-31, or leave --expires out for what never ends")
	}
	return nil
}

var days = regexp.MustCompile(`^[1-9][0-9]{0,4}d$`)

func endOf(text string) (time.Time, error) {
	if days.MatchString(text) {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
		return time.Now().AddDate(0, 0, n), err
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, usagef("give the last day, like 2026-12-31, or a number of days, like 90d")
	}
	return day.AddDate(0, 0, 1), nil
}
