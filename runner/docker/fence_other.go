//go:build !linux

package docker

import "errors"

// All of this needs the kernel that the containers run on.
func (f *fence) ensure() error { return errors.ErrUnsupported }
func (f *fence) put() error    { return errors.ErrUnsupported }
func (f *fence) try() error    { return errors.ErrUnsupported }
func (f *fence) remove() error { return errors.ErrUnsupported }

func (r reservation) put(string) error { return errors.ErrUnsupported }
func removeBridgeTable(string) error   { return errors.ErrUnsupported }
func bridgeTables() ([]string, error)  { return nil, errors.ErrUnsupported }
