package deploy

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"boathook/receive/applog"
)

// RouterLog is the slog.Handler that carries the router's records of requests into the logs of the apps that asked for them. The zero
// value carries none; a Deployer tells it which.
type RouterLog struct {
	mu   sync.RWMutex // guards logs
	logs map[string]*applog.Log
}

// set turns an app's records on, or off with nil.
func (h *RouterLog) set(app string, log *applog.Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.logs == nil {
		h.logs = map[string]*applog.Log{}
	}
	if log == nil {
		delete(h.logs, app)
	} else {
		h.logs[app] = log
	}
}

// Enabled implements slog.Handler.
func (h *RouterLog) Enabled(context.Context, slog.Level) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.logs) > 0
}

// Handle implements slog.Handler: "method=GET path=/ status=200 …", from the source "router".
func (h *RouterLog) Handle(_ context.Context, record slog.Record) error {
	var app string
	var words []string
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "app":
			app = a.Value.String()
		case "release":
		default:
			words = append(words, a.Key+"="+word(a.Value))
		}
		return true
	})
	h.mu.RLock()
	log := h.logs[app]
	h.mu.RUnlock()
	if log == nil {
		return nil
	}
	return log.Append(applog.Entry{At: record.Time, Name: "router", Text: strings.Join(words, " ")})
}

// word is a value without blanks and quotes that somebody might take for the next one's.
func word(v slog.Value) string {
	text := v.String()
	if v.Kind() == slog.KindDuration {
		text = v.Duration().Round(10 * time.Microsecond).String()
	}
	if text == "" || strings.ContainsAny(text, " \"=") || !isPlain(text) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// WithAttrs and WithGroup implement slog.Handler; the router uses neither.
func (h *RouterLog) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *RouterLog) WithGroup(string) slog.Handler { return h }

// SetRouterLogs implements apps.Runtime.
func (d *Deployer) SetRouterLogs(ctx context.Context, name string, on bool) error {
	if err := d.Store.SetRouterLogs(ctx, name, on); err != nil {
		return err
	}
	return d.showRouterLogs(ctx, name)
}

// showRouterLogs has the router's records of an app put into its log if that is wanted.
func (d *Deployer) showRouterLogs(ctx context.Context, name string) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	if !app.RouterLogs {
		d.RouterLog.set(name, nil)
		return nil
	}
	log, err := d.Logbook.Log(app.ID)
	if err != nil {
		return err
	}
	d.RouterLog.set(name, log)
	return nil
}
