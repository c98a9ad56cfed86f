// Package cluster runs several built workers of one group, as a user does: work is divided, taken over and given back,
// requests go to any worker, and Kafka Connect workers may be in the same group.
package cluster
