package cmd_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rotd/ipc"
)

// BenchmarkGets is how many values a second loadClients are given over the
// socket, on connections that they keep open, the daemon and they on the same
// processors: of 10 ROTs, of 10 000 that are read in turn, and with an access
// token; beside a handler of net/http's that answers the same text at once. All
// are measured by turns; the ratios are of medians.
func BenchmarkGets(b *testing.B) {
	few, many := gets{g: manyGround(b, 10), rots: 10}, gets{g: manyGround(b, 10_000), rots: 10_000}
	few.g.restartDaemon()
	many.g.restartDaemon()
	var granted ipc.Grant
	if err := few.g.client.Post(b.Context(), ipc.Path(ipc.PathGrants, "rot-0"), ipc.GrantTo{Kind: ipc.GrantAccessToken, Subject: "bench"}, &granted); err != nil {
		b.Fatal(err)
	}
	nothing, plain := bareServer(b), get("rot-0", "")
	guest := get("rot-0", granted.AccessToken.Reveal())
	runs := []struct {
		name    string
		socket  string
		request func() []byte
		loads   []load
	}{
		{name: "bare", socket: nothing, request: func() []byte { return plain }},
		{name: "10-ROTs", socket: few.g.client.Socket, request: few.each()},
		{name: "10000-ROTs", socket: many.g.client.Socket, request: many.each()},
		{name: "access-token", socket: few.g.client.Socket, request: func() []byte { return guest }},
	}
	for _, r := range runs {
		ask(b, r.socket, time.Second, r.request) // what is read for the first time
	}
	for b.Loop() {
		for i, r := range runs {
			runs[i].loads = append(r.loads, ask(b, r.socket, time.Second, r.request))
		}
	}
	var rates []float64
	for _, r := range runs {
		l := middle(r.loads)
		rates = append(rates, l.rate)
		b.ReportMetric(l.rate, r.name+"-gets/s")
		b.ReportMetric(float64(l.p99.Microseconds())/1000, r.name+"-p99-ms")
	}
	b.ReportMetric(rates[1]/rates[0], "of-bare-ratio")
	b.ReportMetric(rates[2]/rates[1], "10000-ROTs-ratio")
	b.ReportMetric(rates[3]/rates[1], "access-token-ratio")
	b.ReportMetric(0, "ns/op") // there is no op
}

// middle is the load of the median rate, with the median of the p99.
func middle(loads []load) (m load) {
	slices.SortFunc(loads, func(a, b load) int { return int(a.p99 - b.p99) })
	m.p99 = loads[len(loads)/2].p99
	slices.SortFunc(loads, func(a, b load) int { return int(a.rate - b.rate) })
	m.rate = loads[len(loads)/2].rate
	return m
}

// gets are requests for the ROTs of a manyGround.
type gets struct {
	g    *ground
	rots int
}

// each asks for one after the other. It has as many requests for few ROTs as for
// many: that they have to be fetched from memory is not rotd's doing.
func (g gets) each() func() []byte {
	all := make([][]byte, 10_000)
	for i := range all {
		all[i] = get(fmt.Sprint("rot-", i%g.rots), "")
	}
	i := 0
	return func() []byte {
		i++
		return all[i%len(all)]
	}
}
