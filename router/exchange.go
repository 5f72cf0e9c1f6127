package router

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"slices"
	"sync"
	"time"
)

// exchange is one request on its way through the router. Its methods run on the request's goroutine; cut may be called
// from any.
type exchange struct {
	router *Router
	in     *http.Request
	out    *recorder
	id     string
	start  time.Time

	ask     ask
	lease   lease     // target is nil before the first acquire
	lent    lent      // of the last attempt, where it is not Transport that repeats
	tried   []*target // that no connection could be made to
	detach  func() bool
	queued  bool // lease counts in its target's queue
	upload  *upload
	watch   watch
	cancel  context.CancelCauseFunc
	refused *refusal // what was answered instead, for the access log
}

// ServeHTTP passes a request to a container of the app that its host belongs to.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &exchange{router: r, in: req, out: &recorder{ResponseWriter: w, packers: r.packers}, id: requestID(req.Header), start: time.Now()}
	defer x.record()
	if err := r.admit(req); err != nil {
		x.refuse(err)
		return
	}
	x.ask = r.asked(req)
	if proof := r.challenges.answer(&x.ask); proof != nil {
		x.refuse(proof)
		return
	}
	defer x.giveBack()
	defer x.out.finish()
	x.carry()
}

// admit refuses what need not be sent anywhere: by the rules of request.read as well, since HTTP/2 can say what HTTP/1.1 cannot.
func (r *Router) admit(req *http.Request) *refusal {
	switch {
	case req.Method == http.MethodConnect:
		return errConnect
	case !isToken([]byte(req.Method)):
		return malformed(errMethod)
	case !validTarget(req.Method, []byte(req.RequestURI)):
		return malformed(errTarget)
	case !validHost([]byte(req.Host)):
		return malformed(errHost)
	case slices.ContainsFunc(slices.Collect(maps.Keys(req.Trailer)), func(name string) bool { return !isToken([]byte(name)) }):
		return malformed(errTrailer) // http.Transport would refuse it, as if the container were to blame
	case masked(req.Header):
		return malformed(errMasked)
	case oversized(req, r.cfg.MaxHeader):
		return errHeaderSize
	case req.ContentLength > r.cfg.MaxBody:
		return errBodySize
	}
	return nil
}

func (r *Router) asked(req *http.Request) ask {
	host := []byte(req.Host)
	a := ask{method: req.Method, host: host, key: appendHostKey(nil, host), target: []byte(req.RequestURI), secure: req.TLS != nil}
	if proto := req.Header.Get("X-Forwarded-Proto"); (proto == "http" || proto == "https") && r.cfg.trusts(remoteIP(req.RemoteAddr)) {
		a.secure = proto == "https"
	}
	for _, cookies := range req.Header["Cookie"] {
		if id := stickyID([]byte(cookies)); id != nil {
			a.sticky = id
		}
	}
	return a
}

// smallBody is what the router waits for, in bytes, before it asks a container: a slow client must not hold one. A body whose length is not told may be
// a conversation, and with Expect the container is to say whether it wants it.
const smallBody = memorySize - headGrowth

// flushPause is how long a piece of an answer of known length waits for the next, so that what comes at once goes out as one. Others do not wait.
const flushPause = 2 * time.Millisecond

// carry sends the request and copies the answer.
func (x *exchange) carry() {
	r := x.router
	ctx, cancel := context.WithCancelCause(x.in.Context())
	defer cancel(nil)
	x.cancel = cancel
	x.watch = watch{firstByte: r.cfg.FirstByte, idle: r.cfg.Idle, expired: x.cut}
	req := x.in.WithContext(ctx)
	if req.Body != http.NoBody {
		x.upload = &upload{ReadCloser: req.Body, watch: &x.watch, left: r.cfg.MaxBody}
		req.Body, x.ask.slow = x.upload, true
	}
	x.watch.start(x.upload != nil)
	defer x.watch.stop()
	if n := req.ContentLength; x.upload != nil && (n == 0 || n > 0 && n <= smallBody && req.Header.Get("Expect") == "") {
		body := make([]byte, n)
		if err := x.upload.readWhole(body); err != nil {
			x.fail(x.out, req, err)
			return
		}
		x.ask.slow = false
		if req.Body = http.NoBody; n == 0 {
			x.upload = nil // nothing is in the way of asking twice
		} else {
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
	}
	proxy := httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: x, ErrorHandler: x.fail, ErrorLog: r.proxyLog, BufferPool: &r.buffers, FlushInterval: flushPause,
	}
	whole := false
	defer func() { x.out.endPacking(whole) }()
	proxy.ServeHTTP(x.out, req) // panics where an answer breaks off
	whole = true
}

// RoundTrip sends the request to containers in turn until one begins to answer. A connection that was used before and
// proves dead is http.Transport's to replace: it sends a request again only if tellTransport lets it, or if nothing of it
// was written and it has no body. Where Transport does not, and nothing was written and nothing of the body is lost, it is sent again here.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	var repeat repeat
	for {
		if why := x.borrow(); why != nil {
			return nil, repeat.refusal(why)
		}
		res, err := x.send(req)
		if err == nil {
			return res, nil
		}
		if x.blameless(req.Context()) {
			return nil, err
		}
		if x.lent.unused() && (req.GetBody != nil || x.upload == nil || !x.upload.begun.Load()) {
			x.giveBack()
			continue
		}
		x.router.quarantine(x.lease.target, err)
		if !repeat.elsewhere(err, x.idempotent()) {
			return nil, err
		}
		x.tried = append(x.tried, x.lease.target)
		x.giveBack()
	}
}

// idempotent is request.idempotent.
func (x *exchange) idempotent() bool { return x.upload == nil && idempotent(x.in.Method) }

// blameless tells whether a request ended for a reason that lies not with the container.
func (x *exchange) blameless(ctx context.Context) bool {
	return ctx.Err() != nil || x.upload != nil && x.upload.err.Load() != nil
}

func (x *exchange) borrow() *refusal {
	lease, err := x.router.acquire(&x.ask, x.tried)
	x.lease.live = lease.live
	if err != nil {
		return err
	}
	x.lease, x.queued = lease, true
	x.detach = context.AfterFunc(lease.severed, func() { x.cut(errSevered) })
	return nil
}

// giveBack ends what borrow began. The lease stays for the access log.
func (x *exchange) giveBack() {
	if x.detach == nil {
		return
	}
	x.detach()
	x.detach = nil
	x.dequeue()
	x.lease.release()
}

func (x *exchange) dequeue() {
	if x.queued {
		x.queued = false
		x.lease.answered()
	}
}

func (x *exchange) send(req *http.Request) (*http.Response, error) {
	to := *req.URL
	to.Host = x.lease.Addr
	ctx := req.Context()
	if !x.idempotent() {
		x.lent = lent{}
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: x.lent.note})
	}
	req = req.WithContext(ctx)
	req.URL = &to
	switch {
	case req.GetBody != nil: // an earlier attempt may have read it
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req.Body = body
	case req.Body != nil:
		req.Body = io.NopCloser(req.Body) // Transport closes it when it cannot connect; another container may need it
	}
	res, err := x.lease.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.dequeue()
	x.lease.fine()
	x.watch.answered.Store(true)
	x.watch.touch()
	if cookie := x.lease.setSticky(&x.ask); cookie != "" {
		res.Header.Add("Set-Cookie", cookie)
	}
	x.out.packs = x.packs(res)
	res.Body = x.watch.download(res.Body)
	return res, nil
}

// takesGzip tells whether the client can unpack that.
func (x *exchange) takesGzip() bool {
	accepts := false
	for _, list := range x.in.Header["Accept-Encoding"] {
		accepts = accepts || acceptsGzip([]byte(list))
	}
	return accepts && x.in.ProtoAtLeast(1, 1)
}

// packs tells whether the answer is to be packed.
func (x *exchange) packs(res *http.Response) bool {
	return x.takesGzip() && x.in.Method != http.MethodHead && packable(res.StatusCode, res.ContentLength, res.Header.Values)
}

// cut ends the request early because of why. What is to be broken off is looked at first: once the request is cancelled, a refusal may be on
// its way.
func (x *exchange) cut(why *refusal) {
	answering, reading := x.watch.answered.Load(), x.watch.reading.Load()
	x.cancel(why)
	x.out.breakOff(answering, reading)
}

// fail answers a request that could not be carried: ReverseProxy's ErrorHandler.
func (x *exchange) fail(_ http.ResponseWriter, req *http.Request, err error) {
	if x.out.conn != nil {
		return // upgraded, nobody to answer to
	}
	why := errDropped
	switch cause := context.Cause(req.Context()); {
	case errors.As(cause, &why), errors.As(err, &why):
	case x.upload != nil && x.upload.err.Load() != nil:
		why = x.upload.err.Load()
	case req.Context().Err() != nil:
		x.out.status = statusClientClosed
		panic(http.ErrAbortHandler)
	default:
		x.router.cfg.Log.Info("request failed", "app", x.lease.live.route.App, "container", x.lease.Name, "request", x.id, "err", err)
	}
	x.refuse(why)
}

// refuse answers in the place of a container, which need not wait for a slow client.
func (x *exchange) refuse(why *refusal) {
	x.giveBack()
	x.refused, x.out.packs = why, false
	to := client{html: takesHTML(x.in.Header["Accept"]), gzip: x.takesGzip()}
	reply := why.reply(x.lease.live, to, x.id)
	x.watch.answered.Store(true)
	x.watch.touch()
	reply.write(x.out, x.in, x.watch.touch)
}

// buffers is a pool for copying bodies.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
