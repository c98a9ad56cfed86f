// Command benchconvert measures the converters and the transforms beside Kafka
// Connect's own classes, fed the same records in one run: CPU time per record
// of the whole process, garbage collection included. Driver.java is the other
// side; the JDK compiles it when it starts. Its first pass over the records is
// not counted, because the JIT compiler is at work.
package main
