//go:build !linux

package docker

import "errors"

// ensure, put, try and remove need the kernel that the containers run on.
func (f *fence) ensure() error { return errors.ErrUnsupported }
func (f *fence) put() error    { return errors.ErrUnsupported }
func (f *fence) try() error    { return errors.ErrUnsupported }
func (f *fence) remove() error { return errors.ErrUnsupported }
