package main

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"gopkg.in/natefinch/lumberjack.v2"

	"boathook/router"
)

// Sizes of the access log: a file of 100 MB and four former ones.
const (
	accessLogMegabytes = 100
	accessLogFormer    = 4
)

// openAccessLog makes the log of requests, a file with a JSON object a line; nil if nobody asked for it. The file is renamed when it is full.
func (f *front) openAccessLog() router.AccessLog {
	if f.settings.accessLog == "" {
		return nil
	}
	f.accessFile = &accessFile{Logger: lumberjack.Logger{Filename: f.settings.accessLog, MaxSize: accessLogMegabytes, MaxBackups: accessLogFormer}, log: f.log}
	lines := router.NewJSONLog(f.accessFile)
	f.onClose(func() error {
		lines.Flush()
		return f.accessFile.Close()
	})
	return &sample{JSONLog: lines, one: uint64(f.settings.accessLogSample)}
}

// accessFile says when it begins to fail, and when it takes lines again.
type accessFile struct {
	lumberjack.Logger
	log     *slog.Logger
	failing bool // only the one who writes looks
}

// Write implements io.Writer.
func (f *accessFile) Write(lines []byte) (n int, err error) {
	n, err = f.Logger.Write(lines)
	switch failing := err != nil; {
	case failing && !f.failing:
		f.log.Error("the access log loses lines: see to its directory and the room on its disk", "file", f.Filename, "err", err)
	case !failing && f.failing:
		f.log.Info("the access log takes lines again", "file", f.Filename)
	}
	f.failing = err != nil
	return n, err
}

// share has what is still written go to the end of the file, wherever that is by then: another boathook writes to the file too. A file that was
// made here is written at a position of its own until it is opened anew.
func (f *accessFile) share() error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// both is two logs, of which the second wants all records.
type both struct{ some, all router.AccessLog }

// Enabled implements router.AccessLog.
func (b both) Enabled() bool { return true }

// Log implements router.AccessLog.
func (b both) Log(r *router.Record) {
	if b.some.Enabled() {
		b.some.Log(r)
	}
	b.all.Log(r)
}

// sample writes one of so many records, and all of requests that went wrong (status 500 and above).
type sample struct {
	*router.JSONLog
	one  uint64
	seen atomic.Uint64
}

// Log implements router.AccessLog.
func (s *sample) Log(r *router.Record) {
	if (s.seen.Add(1)-1)%s.one == 0 || r.Status >= http.StatusInternalServerError {
		s.JSONLog.Log(r)
	}
}
