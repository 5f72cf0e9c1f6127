package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// median of at least one duration.
func median(values []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// ratios of two interleaved series, pair by pair; their median is robust against a machine whose speed drifts.
func medianRatio(a, b []time.Duration) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// printPairs prints two interleaved series with their medians.
func printPairs(out io.Writer, nameA, nameB string, a, b []time.Duration) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "round\t%s ms\t%s ms\tratio\t\n", nameA, nameB)
	for i := range a {
		fmt.Fprintf(w, "%d\t%.1f\t%.1f\t%.2f\t\n", i+1, ms(a[i]), ms(b[i]), float64(a[i])/float64(b[i]))
	}
	fmt.Fprintf(w, "median\t%.1f\t%.1f\t%.2f\t\n", ms(median(a)), ms(median(b)), medianRatio(a, b))
	w.Flush()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
