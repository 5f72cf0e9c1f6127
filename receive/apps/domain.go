package apps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"boathook/receive/state"
)

// hostShape is a host name in ASCII (RFC 1123, 2.1) of lower case.
var hostShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)

// maxHost is the longest name that the DNS takes (RFC 1035, 2.3.4), without the dot at its end.
const maxHost = 253

// Domains returns the domains of an app, by host.
func (s *Service) Domains(ctx context.Context, c Caller, app string) ([]state.Domain, error) {
	if _, err := s.look(ctx, c, app, "domains", limited); err != nil {
		return nil, err
	}
	return s.cfg.Store.Domains(ctx, app)
}

// Routing returns what the router does for an app.
func (s *Service) Routing(ctx context.Context, c Caller, app string) (state.Routing, error) {
	if _, err := s.look(ctx, c, app, "domains", limited); err != nil {
		return state.Routing{}, err
	}
	return s.cfg.Store.Routing(ctx, app)
}

// AddDomain has the router send the requests for a host to the app, and returns the host as it is stored. Whether the host is the
// caller's is not asked: the first who adds it has it.
func (s *Service) AddDomain(ctx context.Context, c Caller, name, host string) (string, error) {
	key, wrong := s.hostOf(host)
	err := s.change(ctx, c, name, "domains-add "+shownHost(key), member, func(app state.App) error {
		if wrong != nil {
			return wrong
		}
		if err := s.free(ctx, app.Name, key); err != nil {
			return err
		}
		err := s.cfg.Store.AddDomain(ctx, app.Name, key)
		if errors.Is(err, state.ErrExists) {
			return taken(key)
		}
		return s.reroute(ctx, app.Name, err)
	})
	return key, err
}

// shownHost is a host for the audit: "?" if it was none.
func shownHost(key string) string { return cmp.Or(key, "?") }

// taken does not tell whose the host is.
func taken(host string) error {
	return fmt.Errorf("%s belongs to an app already: remove it there first", host)
}

// free refuses a host for which another app's wildcard stands.
func (s *Service) free(ctx context.Context, app, host string) error {
	_, parent, _ := strings.Cut(host, ".")
	all, err := s.cfg.Store.Domains(ctx, "")
	for _, d := range all {
		if d.Host == "*."+parent && d.App != app {
			return taken(host)
		}
	}
	return err
}

// RemoveDomain takes a host from the app.
func (s *Service) RemoveDomain(ctx context.Context, c Caller, name, host string) error {
	key, wrong := s.hostOf(host)
	return s.change(ctx, c, name, "domains-remove "+shownHost(key), member, func(app state.App) error {
		err := s.cfg.Store.RemoveDomain(ctx, app.Name, key)
		if wrong != nil || errors.Is(err, state.ErrNotFound) {
			return invalidf("%s has no domain %q: 'domains %s' lists those it has", app.Name, host, app.Name)
		}
		return s.reroute(ctx, app.Name, err)
	})
}

// SetCanonical has the app's other hosts redirect to one of its domains; "" ends that.
func (s *Service) SetCanonical(ctx context.Context, c Caller, name, host string) error {
	if host == "" {
		return s.change(ctx, c, name, "unset-canonical-domain", member, func(app state.App) error {
			return s.reroute(ctx, app.Name, s.cfg.Store.SetCanonical(ctx, app.Name, ""))
		})
	}
	key, _ := s.hostOf(host) // one that is no host is no domain of the app either
	return s.change(ctx, c, name, "set-canonical-domain "+shownHost(key), member, func(app state.App) error {
		if strings.HasPrefix(key, "*.") {
			return invalidf("%s stands for many names: choose one of them, and add it with domains-add", key)
		}
		all, err := s.cfg.Store.Domains(ctx, app.Name)
		if err != nil {
			return err
		}
		for _, d := range all {
			if d.Host == key {
				return s.reroute(ctx, app.Name, s.cfg.Store.SetCanonical(ctx, app.Name, key))
			}
		}
		return invalidf("%s has no domain %q: add it with 'domains-add %s HOST' first", app.Name, host, app.Name)
	})
}

// SetForceHTTPS switches whether plain HTTP is redirected to HTTPS.
func (s *Service) SetForceHTTPS(ctx context.Context, c Caller, name string, on bool) error {
	return s.change(ctx, c, name, "force-https "+switched(on), member, func(app state.App) error {
		return s.reroute(ctx, app.Name, s.cfg.Store.SetForceHTTPS(ctx, app.Name, on))
	})
}

// SetSticky switches whether a visitor stays on one container.
func (s *Service) SetSticky(ctx context.Context, c Caller, name string, on bool) error {
	return s.change(ctx, c, name, "sticky-session "+switched(on), member, func(app state.App) error {
		return s.reroute(ctx, app.Name, s.cfg.Store.SetSticky(ctx, app.Name, on))
	})
}

func switched(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// reroute has the router follow what was stored.
func (s *Service) reroute(ctx context.Context, app string, stored error) error {
	if stored != nil {
		return stored
	}
	return s.cfg.Runtime.Reroute(ctx, app)
}

// hostOf is a host as it is stored: in ASCII (RFC 5891) and lower case, without a dot at its end.
func (s *Service) hostOf(text string) (string, error) {
	host, wild := strings.CutPrefix(strings.TrimSuffix(strings.TrimSpace(text), "."), "*.")
	ascii, err := idna.Lookup.ToASCII(host)
	_, isIP := netip.ParseAddr(host)
	switch {
	case err != nil || isIP == nil || len(ascii) > maxHost-2 || !hostShape.MatchString(ascii):
		return "", invalidf("%q is not a domain: give a name like www.example.com or *.example.com, without port and path", text)
	case ascii == s.cfg.Platform || strings.HasSuffix(ascii, "."+s.cfg.Platform):
		return "", invalidf("%s is the platform's own: every app has its name there", text)
	}
	if wild {
		return "*." + ascii, nil
	}
	return ascii, nil
}
