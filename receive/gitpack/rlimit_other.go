//go:build !linux

package gitpack

import "time"

// limitCPU does nothing: only Linux can limit another process. The wall time-out still holds.
func limitCPU(int, time.Duration) error { return nil }
