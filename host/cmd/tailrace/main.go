// Command tailrace runs connectors. `tailrace help` lists what it can do.
package main

import (
	"os"

	"github.com/tailrace/tailrace/host/app"
)

// version is set when the binary is built.
var version = "unknown"

func main() { os.Exit(app.Main(version)) }
