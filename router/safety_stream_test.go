package router_test

import (
	"slices"
	"strings"

	"boathook/router"
)

// pipelines are several messages on a connection.
var pipelines = []ordeal{
	{name: "two", client: get() + smuggled, result: passed("GET / shop.test", "GET /smuggled shop.test")},
	{name: "ten", client: strings.Repeat(get(), 10), result: passed(strings.Split(strings.Repeat("GET / shop.test\n", 10), "\n")[:10]...)},
	{name: "with bodies", client: post("Content-Length: 5") + "hello" + inChunks("1\r\na\r\n", "0\r\n\r\n") + get(),
		result: passed(`POST / shop.test "hello"`, `POST / shop.test "a"`, "GET / shop.test")},
	{name: "good, then bad", client: get() + get("X-A : b") + smuggled, result: passed("GET / shop.test").then(400)},
	{name: "bad, then good", client: get("X-A : b") + smuggled, result: refused(400)},
	{name: "bad chunk, then good", client: inChunks("5\r\nhelloo\r\n", "0\r\n\r\n") + smuggled, result: refused(400)},
	{name: "a length too short", client: post("Content-Length: 4") + "hello" + smuggled, result: passed(`POST / shop.test "hell"`, "oGET /smuggled shop.test")},
	{name: "a byte too many", client: post("Content-Length: 5") + "hello\x00" + smuggled, result: passed(`POST / shop.test "hello"`).then(400)},
	{name: "unknown host, then good", client: from("else.test") + smuggled,
		result: result{saw: []string{"GET /smuggled shop.test"}, back: []string{"404", "200 ok"}, kept: true}},
	{name: "unknown host with a body", client: head("POST / HTTP/1.1", "Host: else.test", "Content-Length: 43") + smuggled,
		result: result{back: []string{"404"}, kept: true}},
	{name: "too large, then good", client: post("Content-Length: 78643201") + smuggled, result: refused(413)},
	{name: "an upgrade that is not granted", client: get("Connection: Upgrade", "Upgrade: websocket") + smuggled,
		result: passed("GET / shop.test upgrade=websocket", "GET /smuggled shop.test")},
	{name: "an upgrade in HTTP/1.0", client: head("GET / HTTP/1.0", "Host: shop.test", "Connection: Upgrade", "Upgrade: websocket") + smuggled,
		result: passed("GET / shop.test").closing()},
	{name: "an expectation", client: post("Expect: 100-continue", "Content-Length: 5") + "hello" + smuggled,
		result: passed(`POST / shop.test expect=100-continue "hello"`, "GET /smuggled shop.test")},
	{name: "close, then good", client: post("Connection: close", "Content-Length: 5") + "hello" + smuggled, result: passed(`POST / shop.test "hello"`).closing()},
}

// ends are clients that end their side, in the middle or at the end.
var ends = []ordeal{
	{name: "at once", end: true},
	{name: "in the request line", client: "GET / HT", end: true},
	{name: "after the request line", client: "GET / HTTP/1.1\r\n", end: true},
	{name: "in a field", client: "GET / HTTP/1.1\r\nHost: shop.te", end: true},
	{name: "before the empty line", client: "GET / HTTP/1.1\r\nHost: shop.test\r\n", end: true},
	{name: "in the empty line", client: "GET / HTTP/1.1\r\nHost: shop.test\r\n\r", end: true},
	{name: "before a body", client: post("Content-Length: 5"), end: true},
	{name: "in a body", client: post("Content-Length: 5") + "hell", end: true},
	{name: "before the chunks", client: inChunks(), end: true, result: refused(400)},
	{name: "in a chunk size", client: inChunks("5"), end: true, result: refused(400)},
	{name: "in a chunk", client: inChunks("5\r\nhell"), end: true, result: refused(400)},
	{name: "after a chunk", client: inChunks("5\r\nhello\r\n"), end: true, result: refused(400)},
	{name: "in the last chunk", client: inChunks("5\r\nhello\r\n", "0\r\n"), end: true, result: refused(400)},
	{name: "in a trailer", client: inChunks("5\r\nhello\r\n", "0\r\nX-A: b\r\n"), end: true, result: refused(400)},
}

// answers are apps that break the rules: what the client gets is one well-formed answer or a connection that breaks off, and the
// next request never gets what belongs to another.
var answers = []ordeal{
	{name: "a length", client: get(), app: []string{ok}, result: passed("GET / shop.test")},
	{name: "chunked", client: get(), app: []string{chunks("2\r\nok\r\n", "0\r\n\r\n")}, result: passed("GET / shop.test")},
	{name: "to the end", client: get(), app: []string{"HTTP/1.1 200 OK\r\n\r\nok"}, hangUp: true, result: passed("GET / shop.test")},
	{name: "HTTP/1.0", client: get(), app: []string{"HTTP/1.0 200 OK\r\n\r\nok"}, hangUp: true, result: passed("GET / shop.test")},
	{name: "length and chunked", client: get(), app: []string{succeed("Content-Length: 2", "Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\n\r\n"}, result: bad},
	{name: "two lengths that differ", client: get(), app: []string{succeed("Content-Length: 2", "Content-Length: 3") + "ok!"}, result: bad},
	{name: "a list of lengths", client: get(), app: []string{succeed("Content-Length: 2, 3") + "ok!"}, result: bad},
	{name: "a length with minus", client: get(), app: []string{succeed("Content-Length: -2") + "ok"}, result: bad},
	{name: "a length with plus", client: get(), app: []string{succeed("Content-Length: +2") + "ok"}, result: bad},
	{name: "a length in hexadecimal", client: get(), app: []string{succeed("Content-Length: 0x2") + "ok"}, result: bad},
	{name: "a length over 64 bits", client: get(), app: []string{succeed("Content-Length: 18446744073709551618") + "ok"}, result: bad},
	{name: "a coding of another kind", client: get(), app: []string{succeed("Transfer-Encoding: gzip, chunked") + "2\r\nok\r\n0\r\n\r\n"}, result: bad},
	{name: "two codings", client: get(), app: []string{succeed("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\n\r\n"}, result: bad},
	{name: "no status line", client: get(), app: []string{"hello\r\n\r\n"}, result: bad},
	{name: "a status of four digits", client: get(), app: []string{"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"}, result: bad},
	{name: "a status of two digits", client: get(), app: []string{"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"}, result: bad},
	{name: "a status of letters", client: get(), app: []string{"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok"}, result: bad},
	{name: "a status of zero", client: get(), app: []string{"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok"}, result: bad},
	{name: "HTTP/2.0", client: get(), app: []string{"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"}, result: bad},
	{name: "a reason with a bare CR", client: get(), app: []string{"HTTP/1.1 200 OK\rSet-Cookie: a\r\nContent-Length: 2\r\n\r\nok"}, result: bad},
	{name: "a value with a bare CR", client: get(), app: []string{succeed("Location: /\rSet-Cookie: a", "Content-Length: 2") + "ok"}, result: bad},
	{name: "a value with a NUL", client: get(), app: []string{succeed("X-A: b\x00", "Content-Length: 2") + "ok"}, result: bad},
	{name: "a folded field", client: get(), app: []string{succeed("X-A: b", " c", "Content-Length: 2") + "ok"}, result: bad},
	{name: "a space before the colon", client: get(), app: []string{succeed("X-A : b", "Content-Length: 2") + "ok"}, result: bad},
	{name: "a field without a colon", client: get(), app: []string{succeed("X-A", "Content-Length: 2") + "ok"}, result: bad},
	{name: "a head too large", client: get(), app: []string{succeed("X-A: "+strings.Repeat("b", 300<<10), "Content-Length: 2") + "ok"}, result: bad},
	{name: "a head without end", client: get(), app: []string{"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 1<<17)}, result: bad},
	{name: "a status line without end", client: get(), app: []string{"HTTP/1.1 200 " + strings.Repeat("a", 1<<20)}, result: bad},
	{name: "nothing", client: post("Content-Length: 0"), app: []string{""}, hangUp: true,
		result: result{saw: []string{"POST / shop.test"}, back: []string{"502"}, kept: true}},
	{name: "half a head", client: post("Content-Length: 0"), app: []string{"HTTP/1.1 200 OK\r\nX-A"}, hangUp: true,
		result: result{saw: []string{"POST / shop.test"}, back: []string{"502"}, kept: true}},
	{name: "half a body", client: get(), app: []string{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"}, hangUp: true, result: broken},
	{name: "half a chunk", client: get(), app: []string{chunks("3\r\nok")}, hangUp: true, result: broken},
	{name: "no last chunk", client: get(), app: []string{chunks("2\r\nok\r\n")}, hangUp: true, result: broken},
	{name: "a chunk of no size", client: get(), app: []string{chunks("2\r\nok\r\n", "x\r\n")}, result: bad},
	{name: "a chunk that is larger", client: get(), app: []string{chunks("2\r\nok!\r\n", "0\r\n\r\n")}, result: bad},
	{name: "a chunk of no size later", client: get(), app: []string{chunks("8000\r\n"+strings.Repeat("a", 32<<10)+"\r\n", "x\r\n")}, result: broken},
	{name: "before the end of a body", client: post("Content-Length: 100000") + smuggled + smuggled, hasty: true, result: result{back: []string{"200 ok"}}},
	{name: "before the end of a chunk", client: inChunks("ffff\r\n", smuggled, smuggled), hasty: true, result: result{back: []string{"200 ok"}}},
	{name: "two answers", client: get() + smuggled, app: []string{ok + poison, ok}, result: passed("GET / shop.test", "GET /smuggled shop.test")},
	{name: "a body after HEAD", client: head("HEAD / HTTP/1.1", "Host: shop.test"), app: []string{"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n" + poison, ok},
		result: result{saw: []string{"HEAD / shop.test"}, back: []string{"200"}, kept: true}},
	{name: "a body after 204", client: get() + smuggled, app: []string{"HTTP/1.1 204 No Content\r\n\r\n" + poison, ok},
		result: result{saw: []string{"GET / shop.test", "GET /smuggled shop.test"}, back: []string{"204", "200 ok"}, kept: true}},
	{name: "a body after 304", client: get() + smuggled, app: []string{"HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n" + poison, ok},
		result: result{saw: []string{"GET / shop.test", "GET /smuggled shop.test"}, back: []string{"304", "200 ok"}, kept: true}},
	{name: "101 that nobody asked for", client: get(), app: []string{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
		result: bad},
	{name: "101 for another protocol", client: get("Connection: Upgrade", "Upgrade: websocket"),
		app:    []string{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"},
		result: result{saw: []string{"GET / shop.test upgrade=websocket"}, back: []string{"502"}, kept: true}},
	{name: "many early hints", client: get(), app: []string{strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000) + ok},
		result: result{saw: []string{"GET / shop.test"}, back: append(slices.Repeat([]string{"102"}, 16), "502"), kept: true}},
	{name: "one early hint", client: get(), app: []string{"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok},
		result: result{saw: []string{"GET / shop.test"}, back: []string{"103 link=a", "200 ok"}, kept: true}},
	{name: "what belongs to its connection", client: get(), app: []string{succeed("Connection: X-Internal, keep-alive", "X-Internal: b", "Keep-Alive: timeout=5",
		"Proxy-Authenticate: Basic", "Upgrade: h2c", "Content-Length: 2") + "ok"}, result: passed("GET / shop.test")},
	{name: "fields that the router knows named in Connection", client: get(), app: []string{succeed("Connection: ETag, Accept-Ranges, Content-Type", "ETag: a", "Accept-Ranges: bytes",
		"Content-Type: a/b", "Content-Length: 2") + "ok"}, result: passed("GET / shop.test")},
	{name: "too many fields named in Connection", client: get(), app: []string{succeed("Connection: "+strings.Repeat("x,", 33), "Content-Length: 2") + "ok"}, result: bad},
	{name: "101 for no protocol", client: get("Connection: Upgrade", "Upgrade: websocket"),
		app:    []string{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"},
		result: result{saw: []string{"GET / shop.test upgrade=websocket"}, back: []string{"502"}, kept: true}},
	{name: "Content-Length named in Connection", client: get(), app: []string{succeed("Connection: Content-Length", "Content-Length: 2") + "ok"}, result: bad},
}

// redirects are the answers of the router that say again what a client said.
var redirects = []ordeal{
	{name: "a path", client: to("/a?b"), rules: elsewhere, result: moved("/a?b")},
	{name: "a path like a host", client: to("//else.test/"), rules: elsewhere, result: moved("//else.test/")},
	{name: "a URL", client: to("http://shop.test//else.test/"), rules: elsewhere, result: moved("//else.test/")},
	{name: "an asterisk", client: head("OPTIONS * HTTP/1.1", "Host: shop.test"), rules: elsewhere, result: moved("/")},
	{name: "an escaped CRLF", client: to("/%0d%0aSet-Cookie:%20a"), rules: elsewhere, result: moved("/%0d%0aSet-Cookie:%20a")},
	{name: "a bare CR", client: to("/\rSet-Cookie:a"), rules: elsewhere, result: refused(400)},
	{name: "a body", client: post("Content-Length: 43") + smuggled, rules: elsewhere, result: moved("/")},
}

// elsewhere sends everybody to https://www.shop.test, however they came.
func elsewhere(r *router.Route) { r.ForceHTTPS, r.Canonical = true, "www.shop.test" }

// moved is the result of a redirect by elsewhere.
func moved(path string) result {
	return result{back: []string{"https://www.shop.test" + path}, kept: true}
}

// poison is an answer that no request asked for.
const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

// bad is the result of one GET whose answer is none.
var bad = result{saw: []string{"GET / shop.test"}, back: []string{"502"}, kept: true}

// broken is the result of one GET whose answer breaks off.
var broken = result{saw: []string{"GET / shop.test"}, back: []string{"cut"}}

// succeed is a status line of 200 and fields.
func succeed(fields ...string) string { return head(append([]string{"HTTP/1.1 200 OK"}, fields...)...) }

func chunks(pieces ...string) string {
	return succeed("Transfer-Encoding: chunked") + strings.Join(pieces, "")
}
