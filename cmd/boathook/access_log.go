package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Sizes of the access log: a file of 100 MB and four former ones.
const (
	accessLogMegabytes = 100
	accessLogFormer    = 4
)

// openAccessLog makes the log of requests: what goes to the apps' own logs and, with a setting, a file with a JSON object a line. Records are
// written as they come, and the file is renamed when it is full.
func (s *server) openAccessLog(apps slog.Handler) *slog.Logger {
	if s.cfg.accessLog == "" {
		return slog.New(apps)
	}
	file := &lumberjack.Logger{Filename: s.cfg.accessLog, MaxSize: accessLogMegabytes, MaxBackups: accessLogFormer}
	s.onClose(file.Close)
	return slog.New(slog.NewMultiHandler(apps, &sample{Handler: slog.NewJSONHandler(file, nil), one: uint64(s.cfg.accessLogSample)}))
}

// sample passes on one of so many records of requests, and all of those that went wrong (status 500 and above).
type sample struct {
	slog.Handler
	one  uint64
	seen atomic.Uint64
}

// Handle implements slog.Handler.
func (s *sample) Handle(ctx context.Context, r slog.Record) error {
	if (s.seen.Add(1)-1)%s.one != 0 && !wentWrong(r) {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

func wentWrong(r slog.Record) (wrong bool) {
	r.Attrs(func(a slog.Attr) bool {
		wrong = a.Key == "status" && a.Value.Kind() == slog.KindInt64 && a.Value.Int64() >= 500
		return !wrong
	})
	return wrong
}
