// Package proc measures and watches trees of processes through /proc: processor time, resident memory, state.
//
// The benchmark uses it to charge a worker with everything it started (plugins, a JVM), and test/env to see whether
// a server is still alive. Processor time has the kernel's resolution of one clock tick (10 ms) per process.
// Linux only. It imports nothing of Tailrace.
package proc
