// Package polyglot proves that the plugin protocol needs no SDK: python/ holds a file source and a file sink in plain
// generated Python, written from docs/protocol.md, and the tests here run them under the built worker, alone and beside
// the Go file plugins, on the embedded broker and on a real Apache Kafka, with kills.
package polyglot
