package router

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"time"
)

// entry is a line of the access log.
type entry struct {
	remote, host, method, path, id string
	status                         int
	bytes                          int64 // of the answer's body; not counted after an upgrade
	start                          time.Time
	lease                          lease
	refused                        *refusal
}

// log writes the line. It asks the handler itself, since a Logger would look up the calling function each time.
func (e *entry) log(to *slog.Logger) {
	ctx, handler := context.Background(), to.Handler()
	if !handler.Enabled(ctx, slog.LevelInfo) {
		return
	}
	now := time.Now()
	line := slog.NewRecord(now, slog.LevelInfo, "request", 0)
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String("remote", e.remote), slog.String("host", e.host),
		slog.String("method", e.method), slog.String("path", e.path), slog.Int("status", e.status),
		slog.Int64("bytes", e.bytes), slog.Duration("duration", now.Sub(e.start)), slog.String("request", e.id))
	if live := e.lease.live; live != nil {
		attrs = append(attrs, slog.String("app", live.route.App), slog.String("release", live.route.Release))
	}
	if e.lease.target != nil {
		attrs = append(attrs, slog.String("container", e.lease.Name))
	}
	if e.refused != nil {
		attrs = append(attrs, slog.String("err", e.refused.reason))
	}
	line.AddAttrs(attrs...)
	_ = handler.Handle(ctx, line) // a request does not fail for want of a log
}

// accessLog is where records go; nil if nobody wants them now.
func (r *Router) accessLog() *slog.Logger {
	if access := r.cfg.AccessLog; access != nil && access.Enabled(context.Background(), slog.LevelInfo) {
		return access
	}
	return nil
}

func (x *exchange) record() {
	x.router.metrics.observe(x.lease.live, x.out.status, x.start)
	if access := x.router.accessLog(); access != nil {
		e := entry{
			remote: remoteIP(x.in.RemoteAddr), host: x.in.Host, method: x.in.Method, path: x.in.URL.Path, id: x.id,
			status: x.out.status, bytes: x.out.bytes, start: x.start, lease: x.lease, refused: x.refused,
		}
		e.log(access)
	}
}

func (p *passage) record() {
	p.router.metrics.observe(p.lease.live, p.status, p.start)
	if access := p.router.accessLog(); access != nil {
		e := entry{
			remote: p.remote, host: string(p.req.host), method: p.req.method, path: p.req.path(), id: string(p.req.id),
			status: p.status, bytes: p.sent, start: p.start, lease: p.lease, refused: p.refused,
		}
		e.log(access)
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
