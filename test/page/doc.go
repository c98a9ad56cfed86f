// Package page writes the figures of a benchmark into the document that tells them.
//
// A document holds the place of each benchmark's figures between two marks, <!-- NAME --> and <!-- /NAME -->; the text
// around them is written by people. Neighbours: test/bench, test/benchconvert, test/benchfailover, test/benchsearch,
// test/benchwire, test/jdbc and test/scale publish with it.
package page
