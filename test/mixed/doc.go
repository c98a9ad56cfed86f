// Package mixed runs one group of a Kafka Connect 4.1 worker and a Tailrace worker: either leads, either serves requests,
// and either may be killed.
package mixed
