// Package javamap knows in which order a java.util.HashMap yields its entries. Kafka Connect writes configurations and offsets,
// answers requests and finds errors in that order, so that it is seen from outside.
//
// It is a pure function and imports nothing of the host. It stands below host/config, so that config, store, herder and transform
// may call it.
package javamap
