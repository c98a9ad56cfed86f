// Command benchconvert measures the converters and the transforms beside Kafka
// Connect's own classes, fed the same records in one run, each case in turn on
// both sides: CPU time of the whole process per record, garbage collection
// included. Driver.java is the other side; the JDK compiles it when it starts.
// The first round of both sides is not counted, because caches are filled and
// the JIT compiler is at work. It writes its table into docs/benchmarks.md.
package main
