package apps

import "context"

// Usage is what a container uses.
type Usage struct {
	Name   string
	CPU    float64 // percent of one processor, over about a second
	Memory int64   // bytes
	Limit  int64   // bytes; 0 if the engine enforces none
}

// Stats tells what the running containers of the app use.
func (s *Service) Stats(ctx context.Context, c Caller, app string) ([]Usage, error) {
	if _, err := s.look(ctx, c, app, "stats", limited); err != nil {
		return nil, err
	}
	return s.cfg.Runtime.Stats(ctx, app)
}
