package router

import (
	"log/slog"
	"net/http"
	"time"
)

// Server returns a server for handler, usually a Router, whose limits suit clients that are slow or mean. There is no limit on the
// time of a whole request: the Router watches bodies byte by byte.
func Server(handler http.Handler, cfg Config) *http.Server {
	cfg = cfg.withDefaults()
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 20 * time.Second,
		IdleTimeout:       75 * time.Second,
		// Beyond this net/http answers 431 by itself; between MaxHeader and this the Router does, with the reason.
		MaxHeaderBytes:               2 * cfg.MaxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the app's
		ErrorLog:                     slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
}
