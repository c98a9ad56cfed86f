// Package replay holds workers against what was recorded from Kafka Connect 4.1: long sequences of REST requests with their
// answers (a distributed worker, a standalone one, sinks with dead letters, the validation of an exactly-once worker), and
// the records that they left in the config topic. testdata has the recordings and the program that replays them (Python,
// standard library only).
package replay
