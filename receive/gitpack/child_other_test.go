//go:build !linux

package gitpack

// children is what only Linux can say: elsewhere there are none.
func children() []int { return nil }

func peakOfChildren() int64 { return 0 }
