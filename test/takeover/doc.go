// Package takeover stops a real Kafka Connect 4.1 cluster, lets Tailrace go on with its internal topics, and hands back:
// names, configurations, states, offsets and lines stay.
package takeover
