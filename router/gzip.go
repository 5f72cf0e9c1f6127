package router

import (
	"bytes"
	"compress/gzip"
	"strings"
)

// leastPacked is the length from which on packing an answer is worth the trouble.
const leastPacked = 1 << 10

// packers are the gzip writers, each of which needs most of a megabyte. Where all are in use an answer passes as it is.
type packers chan *gzip.Writer

const manyPackers = 16

func newPackers() packers {
	p := make(packers, manyPackers)
	for range manyPackers {
		p <- nil // made at first use
	}
	return p
}

// take returns a writer to out, nil if none is free.
func (p packers) take(out *bytes.Buffer) *gzip.Writer {
	select {
	case w := <-p:
		if w == nil {
			w, _ = gzip.NewWriterLevel(out, gzip.BestSpeed) // the level is valid
		}
		w.Reset(out)
		return w
	default:
		return nil
	}
}

func (p packers) give(w *gzip.Writer) { p <- w }

// packable tells whether an answer should be packed for a client that takes gzip: it is a text, has not been packed or cut by the
// container, and nobody forbids it. Length is -1 if it is not known.
func packable(status int, length int64, values func(name string) []string) bool {
	for _, name := range []string{"Content-Encoding", "Content-Range"} {
		if len(values(name)) > 0 {
			return false
		}
	}
	return status == 200 && (length < 0 || length >= leastPacked) && isText(strings.Join(values("Content-Type"), ",")) &&
		!strings.Contains(strings.ToLower(strings.Join(values("Cache-Control"), ",")), "no-transform")
}

// isText tells of a Content-Type whether packing makes it smaller. Events are for the moment, and pass as they are.
func isText(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	switch name = strings.ToLower(strings.TrimSpace(name)); name {
	case "text/event-stream":
		return false
	case "application/javascript", "application/x-javascript", "application/json", "application/xml", "image/svg+xml",
		"application/wasm", "application/vnd.ms-fontobject", "font/ttf", "font/otf":
		return true
	}
	return strings.HasPrefix(name, "text/") || strings.HasPrefix(name, "application/") &&
		(strings.HasSuffix(name, "+json") || strings.HasSuffix(name, "+xml"))
}

// acceptsGzip reads Accept-Encoding: "br, gzip;q=0.8".
func acceptsGzip(list []byte) bool {
	for option := range options(list) {
		coding, weight, _ := bytes.Cut(option, []byte(";"))
		if !bytes.EqualFold(bytes.TrimSpace(coding), []byte("gzip")) {
			continue
		}
		_, q, weighed := bytes.Cut(bytes.TrimSpace(weight), []byte("="))
		return !weighed || len(bytes.Trim(q, "0. ")) > 0
	}
	return false
}

// weak makes an entity tag say that the answer means the same as the container's, not that its bytes are the same.
func weak(tag string) string {
	if strings.HasPrefix(tag, "W/") {
		return tag
	}
	return "W/" + tag
}
