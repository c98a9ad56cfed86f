//go:build race

package edge

// raceCost is how much dearer the race detector makes processor time, at most.
const raceCost = 10
