package deploy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"boathook/receive/applog"
	"boathook/router"
)

// RouterLog is the router.AccessLog that carries its records of requests into the logs of the apps that asked for them. The zero
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

// Enabled implements router.AccessLog.
func (h *RouterLog) Enabled() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.logs) > 0
}

// Log implements router.AccessLog: "remote=192.0.2.1 host=… method=GET path=/ status=200 …", from the source "router". What an app's log cannot
// take is lost, as the request cannot wait.
func (h *RouterLog) Log(r *router.Record) {
	h.mu.RLock()
	log := h.logs[r.App]
	h.mu.RUnlock()
	if log != nil {
		_ = log.Append(applog.Entry{At: r.At, Name: "router", Text: routerLine(r)})
	}
}

func routerLine(r *router.Record) string {
	text := fmt.Sprintf("remote=%s host=%s method=%s path=%s status=%d bytes=%d duration=%s request=%s",
		word(r.Remote), word(r.Host), word(r.Method), word(r.Path), r.Status, r.Bytes, r.Duration.Round(10*time.Microsecond), word(r.ID))
	if r.Container != "" {
		text += " container=" + word(r.Container)
	}
	if r.Refusal != "" {
		text += " err=" + word(r.Refusal)
	}
	return text
}

// word is a value without blanks and quotes that somebody might take for the next one's.
func word(text string) string {
	if text == "" || strings.ContainsAny(text, " \"=") || !isPlain(text) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// SetRouterLogs implements apps.Runtime.
func (d *Deployer) SetRouterLogs(ctx context.Context, name string, on bool) error {
	if err := d.Store.SetRouterLogs(ctx, name, on); err != nil {
		return err
	}
	if err := d.showRouterLogs(ctx, name); err != nil {
		return err
	}
	return d.Reroute(ctx, name)
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
