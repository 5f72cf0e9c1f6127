package router_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"boathook/router"
)

// BenchmarkPaths carries the same requests on both paths, from as many connections at once as there are processors times eight. The processor's time
// is that of the whole process, client and container included.
func BenchmarkPaths(b *testing.B) {
	for _, size := range []int{2, 10_000, 1_000_000} {
		container := cannedApp(b, size)
		for name, on := range map[string]path{"fast": fast, "net-http": netHTTP} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				f := newFront(b, on, router.Config{Queue: 1000})
				f.Set(route(container))
				b.SetParallelism(8)
				b.ReportAllocs()
				before := cpu()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) { askOn(b, f.addr, pb) })
				b.StopTimer()
				b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cannedApp answers every request on a connection with size bytes, and does nothing else.
func cannedApp(b *testing.B, size int) router.Target {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	canned := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n%s",
		size, strings.Repeat("x", size)))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				request := make([]byte, 64<<10)
				for {
					if _, err := conn.Read(request); err != nil {
						return
					}
					if _, err := conn.Write(canned); err != nil {
						return
					}
				}
			}()
		}
	}()
	return router.Target{Name: "web-1", Addr: listener.Addr().String()}
}

const cannedRequest = "GET /some/path?with=query HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\nCookie: session=0123456789abcdef\r\n\r\n"

// askOn asks again and again on one connection.
func askOn(b *testing.B, addr string, pb *testing.PB) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	r := bufio.NewReaderSize(conn, 64<<10)
	for pb.Next() {
		if _, err := io.WriteString(conn, cannedRequest); err != nil {
			b.Error(err)
			return
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
			b.Error(res.StatusCode, err)
			return
		}
	}
}

// cpu is the time that the process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSet routes ten thousand apps, each with a host of its own.
func BenchmarkSet(b *testing.B) {
	for b.Loop() {
		r := router.New(router.Config{})
		for i := range 10_000 {
			name := fmt.Sprint("app-", i)
			r.Set(router.Route{App: name, Release: "1", Hosts: []string{name + ".example.com"}, Serving: true})
		}
		_ = r.Close()
	}
}
