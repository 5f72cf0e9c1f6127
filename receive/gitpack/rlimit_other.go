//go:build !linux

package gitpack

// limitProcess does nothing: only Linux can limit another process. The wall time-out and GIT_ALLOC_LIMIT still hold.
func limitProcess(int, Limits) error { return nil }
