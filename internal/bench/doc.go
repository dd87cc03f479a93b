// Package bench measures the delivery engine as it runs in production: the real web and worker programs, the sandbox in
// a process of its own as the provider, and beside each figure the limit that the same machine sets in the same run. It
// holds benchmarks only, and prints one table.
//
// The machine's other work moves every figure; the ratios stand in one run and say more. A goal that is missed is marked
// in the table. A notice that is sent twice, or never, fails the run.
package bench
