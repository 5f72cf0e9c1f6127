package router

import (
	"net/http"
	"strconv"
)

// client is what the one who asked can read.
type client struct{ html, gzip bool }

// reply is a refusal as one client gets it.
type reply struct {
	*refusal
	id     string
	body   []byte
	page   bool // body is a page, not the router's own words
	packed bool // with gzip
}

// reply words a refusal by the app, which is nil where it is not known. The id is what a person can quote to the app's owner.
func (e *refusal) reply(app *live, to client, id string) reply {
	page := app.page(e)
	switch {
	case page == nil || !to.html:
		return reply{refusal: e, id: id, body: []byte(e.words(id))}
	case to.gzip && len(page.html) >= leastPacked:
		return reply{refusal: e, id: id, body: page.packed(), page: true, packed: true}
	}
	return reply{refusal: e, id: id, body: page.html, page: true}
}

// header tells set the fields of the answer, but for those of the connection. They are the same for HEAD: RFC 9110, 9.3.2.
func (r *reply) header(set func(name, value string)) {
	if r.page {
		set("Content-Type", "text/html; charset=utf-8")
	} else {
		set("Content-Type", "text/plain; charset=utf-8")
	}
	if r.packed {
		set("Content-Encoding", "gzip")
	}
	r.refusal.header(r.id, set)
	set("Content-Length", strconv.Itoa(len(r.body)))
}

// write answers a request over net/http, in pieces, each of which is told to sent: a client may take long to read a page. On HTTP/2 the connection goes
// on, as it is that of other requests as well: there one that is broken has done no harm to the next.
func (r *reply) write(w http.ResponseWriter, to *http.Request, sent func()) {
	h := w.Header()
	clear(h)
	r.header(h.Set)
	if r.final() && to.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	w.WriteHeader(r.status)
	if to.Method == http.MethodHead {
		return
	}
	for left := r.body; len(left) > 0; {
		n, err := w.Write(left[:min(len(left), memorySize)])
		if err != nil {
			return // the client has gone
		}
		sent()
		left = left[n:]
	}
}
