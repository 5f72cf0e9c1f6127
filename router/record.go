package router

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// Record is a request, a line of the access log. A word that is not known is empty.
type Record struct {
	At                               time.Time // when it ended
	Duration                         time.Duration
	Remote, Host, Method, Path, ID   string // Path is without the query, in plain letters
	Status                           int
	Bytes                            int64 // of the answer's body; not counted after an upgrade
	App, Release, Container, Refusal string
}

// AccessLog takes a record of every request. Its methods are called by many goroutines, and requests wait for them.
type AccessLog interface {
	Enabled() bool // whether anybody wants records now
	Log(*Record)   // a request does not fail for want of a log; the record is the caller's again afterwards
}

// AppendJSON appends the record as a JSON object in a line: the time as RFC 3339 says, the duration in nanoseconds.
func (r *Record) AppendJSON(line []byte) []byte {
	line = append(line, `{"time":"`...)
	line = r.At.AppendFormat(line, time.RFC3339Nano)
	line = append(line, '"')
	line = appendWord(line, "remote", r.Remote)
	line = appendWord(line, "host", r.Host)
	line = appendWord(line, "method", r.Method)
	line = appendWord(line, "path", r.Path)
	line = strconv.AppendInt(append(line, `,"status":`...), int64(r.Status), 10)
	line = strconv.AppendInt(append(line, `,"bytes":`...), r.Bytes, 10)
	line = strconv.AppendInt(append(line, `,"duration":`...), int64(r.Duration), 10)
	line = appendWord(line, "request", r.ID)
	for _, word := range [...]struct{ name, value string }{{"app", r.App}, {"release", r.Release}, {"container", r.Container}, {"err", r.Refusal}} {
		if word.value != "" {
			line = appendWord(line, word.name, word.value)
		}
	}
	return append(line, "}\n"...)
}

// appendWord leaves what is not plain to encoding/json.
func appendWord(line []byte, name, value string) []byte {
	line = append(append(append(line, `,"`...), name...), `":`...)
	for i := range len(value) {
		if b := value[i]; b < ' ' || b > '~' || b == '"' || b == '\\' {
			quoted, _ := json.Marshal(value) // no string is refused
			return append(line, quoted...)
		}
	}
	return append(append(append(line, '"'), value...), '"')
}

// log fills in what the lease and the refusal tell, and hands the record on.
func (r *Record) log(to AccessLog, start time.Time, by lease, refused *refusal) {
	r.At = time.Now()
	r.Duration = r.At.Sub(start)
	if by.live != nil {
		r.App, r.Release = by.live.route.App, by.live.route.Release
	}
	if by.target != nil {
		r.Container = by.Name
	}
	if refused != nil {
		r.Refusal = refused.reason
	}
	to.Log(r)
}

// accessLog is where records go; nil if nobody wants them now.
func (r *Router) accessLog() AccessLog {
	if access := r.cfg.AccessLog; access != nil && access.Enabled() {
		return access
	}
	return nil
}

func (x *exchange) record() {
	x.router.metrics.observe(x.lease.live, x.out.status, x.start)
	if access := x.router.accessLog(); access != nil {
		r := Record{
			Remote: remoteIP(x.in.RemoteAddr), Host: x.in.Host, Method: x.in.Method, Path: x.in.URL.Path, ID: x.id,
			Status: x.out.status, Bytes: x.out.bytes,
		}
		r.log(access, x.start, x.lease, x.refused)
	}
}

func (p *passage) record() {
	p.router.metrics.observe(p.lease.live, p.status, p.start)
	if access := p.router.accessLog(); access != nil {
		if string(p.req.host) != p.named {
			p.named = string(p.req.host)
		}
		p.line = Record{
			Remote: p.remote, Host: p.named, Method: p.req.method, Path: p.req.path(), ID: string(p.req.id),
			Status: p.status, Bytes: p.sent,
		}
		p.line.log(access, p.start, p.lease, p.refused)
	}
}

// path is the target without the query, in plain letters.
func (q *request) path() string {
	target, _, _ := bytes.Cut(q.target, []byte("?"))
	plain, err := url.PathUnescape(string(target))
	if err != nil {
		return string(target)
	}
	return plain
}
