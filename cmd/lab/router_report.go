package main

import (
	"fmt"
	"math"
	"text/tabwriter"
	"time"
)

// results are what was measured, by case and rival.
type results map[string]map[string]cost

// report prints the table, and holds the ratios against the promises.
func (f *field) report(run routerRun, taken results) (map[string]any, []string) {
	figures, broken := map[string]any{"rounds": run.rounds, "connections": run.connections}, []string(nil)
	w := tabwriter.NewWriter(run.out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\tthrough\tCPU ms/1,000\tratio\tp50 ms\tratio\tp99 ms\tratio\tfull p99 ms\tratio\t")
	for _, c := range f.cases(run) {
		base := taken[c.name]["nginx"]
		ratios := map[string]map[string]float64{}
		for _, r := range f.rivals {
			s := taken[c.name][r.name]
			cpu, p50, p99, full99 := ratio(s.cpu, base.cpu), ratio(s.p50, base.p50), ratio(s.p99, base.p99), ratio(s.full99, base.full99)
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", c.name, r.name, ms(s.cpu), cpu, ms(s.p50), p50, ms(s.p99), p99, ms(s.full99), full99)
			ratios[r.name] = map[string]float64{"cpu_ms": ms(s.cpu), "cpu": cpu, "p50": p50, "p99": p99, "full_p99": full99}
			if r.name == "boathook" && c.promised {
				broken = append(broken, hold(c.name, cpu, p99, full99)...)
			}
		}
		figures[c.name] = ratios
	}
	w.Flush()
	fmt.Fprintln(run.out, "Ratios are to nginx. CPU and full p99 are with as many requests as each takes, p50 and p99 with half as many as nginx takes.")
	return figures, broken
}

// ratio is to two decimals, as it is printed and promised.
func ratio(a, b time.Duration) float64 { return math.Round(100*float64(a)/float64(b)) / 100 }

// hold compares with the promises.
func hold(name string, cpu, p99, full99 float64) (broken []string) {
	if cpu > routerCPU {
		broken = append(broken, fmt.Sprintf("%s: %.2f times nginx's CPU time, promised %.2f", name, cpu, routerCPU))
	}
	if p99 > routerP99 {
		broken = append(broken, fmt.Sprintf("%s: %.2f times nginx's p99, promised %.2f", name, p99, routerP99))
	}
	if full99 > routerP99 {
		broken = append(broken, fmt.Sprintf("%s: %.2f times nginx's full p99, promised %.2f", name, full99, routerP99))
	}
	return broken
}
