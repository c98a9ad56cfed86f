// Package javadate counts days as java.util.GregorianCalendar does: in the Julian calendar up to 4 October 1582, in the
// Gregorian one from the next day, 15 October, on. Kafka Connect reads and writes dates so, while Go's package time is
// Gregorian throughout; before 1582 they differ by up to two weeks.
//
// Days are counted from 1970-01-01, months from 1, and year 0 is 1 BC. Months and days outside of their range count on
// into the years and months around. It is used by [github.com/tailrace/tailrace/sdk/go/data] for texts, and by the
// host's header converter and transforms.
package javadate
