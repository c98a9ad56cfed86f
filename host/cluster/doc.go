// Package cluster makes workers with one group.id a cluster: who is in it, who
// leads it, and which worker runs which connector and task. It speaks Kafka
// Connect's group protocol ("connect", reference section 4), so that workers of
// both kinds may be in one group and either may lead.
//
// Decisions are pure functions on values: the byte codecs (Metadata, Assignment),
// the leader's division of work (Assign), session keys and signatures. A Member
// puts them between a group of Kafka and whoever runs the work.
//
// Invariants upheld here (docs/INVARIANTS.md):
//
//   - I-5: within one generation a task runs in one place. Assign gives away only
//     what nobody reports to run, and a Member stops everything when it can no
//     longer prove to be in the group.
//   - I-9: a session key is in no error and no log line.
//
// Neighbours: host/herder composes it with a worker. It imports host/kafka and
// host/store, and knows neither REST nor herder.
package cluster
