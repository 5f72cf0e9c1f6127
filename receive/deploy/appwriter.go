package deploy

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"boathook/receive/applog"
)

// appWriter is the part of an app's log that a hook or a one-off writes to: whole lines, with its name. Close it when it has ended. It
// never fails, as nobody's hook may fail for its log.
type appWriter struct {
	*Deployer
	log  *applog.Log // nil: none
	name string

	mu      sync.Mutex // guards partial
	partial []byte
}

func (d *Deployer) appWriter(app int64, name string) *appWriter {
	log, err := d.Logbook.Log(app)
	if err != nil {
		d.Log.Error("output not kept", "container", name, "err", err)
	}
	return &appWriter{Deployer: d, log: log, name: name}
}

func (w *appWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		end := bytes.IndexByte(w.partial, '\n')
		switch {
		case end >= 0:
			w.append(w.partial[:end])
			w.partial = w.partial[end+1:]
		case len(w.partial) >= maxLine:
			w.append(w.partial[:maxLine])
			w.partial = w.partial[maxLine:]
		default:
			return len(p), nil
		}
	}
}

func (w *appWriter) append(line []byte) {
	if w.log == nil {
		return
	}
	err := w.log.Append(applog.Entry{At: time.Now(), Name: w.name, Text: logText(line)})
	if err != nil && !errors.Is(err, applog.ErrRemoved) {
		w.Log.Error("output not kept", "container", w.name, "err", err)
	}
}

// Close keeps a last line without an end.
func (w *appWriter) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.append(w.partial)
		w.partial = nil
	}
	if w.log != nil {
		w.log.Forget(w.name)
	}
}
