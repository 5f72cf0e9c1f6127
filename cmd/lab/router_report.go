package main

import (
	"fmt"
	"math"
	"text/tabwriter"
	"time"
)

// results are what was measured, by case and rival.
type results map[string]map[string]*series

// series are the measurements of a case through a rival, one a round.
type series struct {
	cpu, p50, p99, full99 []time.Duration
	requests              int // of all rounds
}

func (r results) note(name, rival string, c cost) {
	if r[name] == nil {
		r[name] = map[string]*series{}
	}
	s := r[name][rival]
	if s == nil {
		s = &series{}
		r[name][rival] = s
	}
	s.cpu, s.p50, s.p99, s.full99 = append(s.cpu, c.cpu), append(s.p50, c.p50), append(s.p99, c.p99), append(s.full99, c.full99)
	s.requests += c.requests
}

// rate is how many requests a second nginx took.
func (r results) rate(name string, duration time.Duration) int {
	return int(float64(r[name]["nginx"].requests) / duration.Seconds())
}

// report prints the table of medians and ratios, and holds them against the promises.
func (f *field) report(run routerRun, taken results) (map[string]any, []string) {
	figures, broken := map[string]any{"rounds": run.rounds, "connections": run.connections}, []string(nil)
	w := tabwriter.NewWriter(run.out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\tthrough\tCPU ms/1,000\tratio\tp50 ms\tratio\tp99 ms\tratio\tfull p99 ms\tratio\t")
	for _, c := range f.cases(run) {
		base := taken[c.name]["nginx"]
		ratios := map[string]map[string]float64{}
		for _, r := range f.rivals {
			s := taken[c.name][r.name]
			if s == nil {
				continue
			}
			cpu, p50, p99, full99 := hundredths(s.cpu, base.cpu), hundredths(s.p50, base.p50), hundredths(s.p99, base.p99), hundredths(s.full99, base.full99)
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", c.name, r.name, ms(median(s.cpu)), cpu,
				ms(median(s.p50)), p50, ms(median(s.p99)), p99, ms(median(s.full99)), full99)
			ratios[r.name] = map[string]float64{"cpu_ms": ms(median(s.cpu)), "cpu": cpu, "p50": p50, "p99": p99, "full_p99": full99}
			if r.name == "boathook" && c.promised {
				broken = append(broken, hold(c.name, cpu, p99, full99)...)
			}
		}
		figures[c.name] = ratios
	}
	w.Flush()
	fmt.Fprintln(run.out, "Medians of the rounds. The ratios are to nginx in the same round. CPU and full p99 are with as many requests as each takes, p50 and p99 with half as many\nas nginx takes.")
	return figures, broken
}

// hundredths is medianRatio to two decimals, as it is printed and promised.
func hundredths(a, b []time.Duration) float64 { return math.Round(100*medianRatio(a, b)) / 100 }

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
