// Package replay holds a distributed worker against what was recorded from Kafka Connect 4.1: a long sequence of REST
// requests with their answers, and the records that they left in the config topic. testdata has the recording and the
// program that replays it (Python, standard library only).
package replay
