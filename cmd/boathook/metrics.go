package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// openMetrics makes the server of GET /metrics, in the text format of Prometheus. It tells the names of all apps and how much they are
// used, to whoever reaches its address.
func (s *server) openMetrics(context.Context) error {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{s.router, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError)}))
	s.metrics = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	s.onClose(s.metrics.Close)
	return nil
}

// serveMetrics serves until the server is closed; without an address it serves nobody.
func (s *server) serveMetrics() error {
	if s.metricsListener == nil {
		return nil
	}
	if err := s.metrics.Serve(s.metricsListener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
