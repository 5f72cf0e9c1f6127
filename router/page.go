package router

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// page is HTML that clients get in the place of the router's own words.
type page struct {
	html   []byte
	packed func() []byte // html with gzip, made when it is first asked for
}

// nextPage is the page of an app's next route: nil without a text, old if it says the same.
func nextPage(old *page, html string) *page {
	switch {
	case html == "":
		return nil
	case old != nil && string(old.html) == html:
		return old
	}
	text := []byte(html)
	return &page{text, sync.OnceValue(func() []byte { return pack(text) })}
}

// makePages prepares the pages of a route, taking over those of old that stay the same.
func (l *live) makePages(old *live) {
	if old == nil {
		old = &live{}
	}
	l.maintenance = nextPage(old.maintenance, cmp.Or(l.route.MaintenancePage, maintenanceHTML))
	l.failure = nextPage(old.failure, l.route.ErrorPage)
}

func pack(text []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(text) // to memory
	_ = w.Close()
	return packed.Bytes()
}

// page is what clients of an app get for a refusal; nil if that is the router's own words. What happens before the app is known, or lies with
// the client, is no matter of the app's.
func (l *live) page(why *refusal) *page {
	switch {
	case l == nil:
		return nil
	case why == errMaintenance:
		return l.maintenance
	case why.status == http.StatusBadGateway, why.status == http.StatusServiceUnavailable, why.status == http.StatusGatewayTimeout:
		return l.failure
	}
	return nil
}

// takesHTML tells of the fields Accept of a request whether the client takes HTML: RFC 9110, 12.5.1. The most specific of the ranges that
// fit counts, and without a field everything is taken.
func takesHTML(accept []string) bool {
	takes, best := len(accept) == 0, 0
	for _, list := range accept {
		for option := range options([]byte(list)) {
			name, parameters, _ := strings.Cut(string(option), ";")
			if rank := rankHTML(name); rank > best {
				takes, best = !refused(parameters), rank
			}
		}
	}
	return takes
}

// rankHTML is how closely a media range describes HTML, 0 if not at all.
func rankHTML(name string) int {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "text/html":
		return 3
	case "text/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}

// refused tells whether the parameters of a media range have the weight 0: "charset=utf-8;q=0.0".
func refused(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			return strings.Trim(value, "0. ") == ""
		}
	}
	return false
}

// maintenanceHTML is the page of an app in maintenance that has none of its own.
const maintenanceHTML = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Down for maintenance</title>
<style>
body { font: 1.1rem/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 32rem; margin: 20vh auto 0; padding: 0 1rem; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #111; } }
</style>
</head>
<body>
<h1>Down for maintenance</h1>
<p>This application is being worked on and will be back soon. Try again in a few minutes.</p>
</body>
</html>
`
