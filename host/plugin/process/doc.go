// Package process starts plugin programs and ends them, with everything they started.
//
// It speaks to hashicorp/go-plugin through its RunnerFunc seam only, and uses of it the start alone: the environment
// variables, the negotiation of the application version and the handshake line. The rest of go-plugin's client is not
// used, because parts of it wait without a deadline (Shutdown inside Kill, the stdio stream inside Client), and because
// it parses what the plugin writes to stderr and panics on a JSON line whose "@message" is no string (v1.8.0). The
// caller dials the socket itself.
//
// Invariants:
//   - I-3: nothing a plugin writes, does or refuses to do blocks the host: output is read in bounded pieces at a bounded
//     rate, every wait has a deadline, memory and CPU have limits.
//   - I-9: a plugin sees a handful of harmless environment variables and what its connector's config grants, nothing
//     else of the host's environment; its output is masked before it is logged or kept.
//   - I-10: a plugin's process group, its cgroup where there is one, and every process that carries its marker die with
//     the plugin; all of them die within a second after the host (parent-death signal, keep-alive pipe, guard).
//
// Neighbours: host/plugin uses it. It may import host/plugin/guard and nothing else of the project.
package process
