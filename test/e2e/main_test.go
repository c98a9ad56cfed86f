package e2e

import (
	"flag"
	"testing"

	"github.com/tailrace/tailrace/test/harness"
)

// long makes the fault tests long: `make chaos`.
var long = flag.Bool("long", false, "more kills, more lines, longer outages")

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Main(m)
}
