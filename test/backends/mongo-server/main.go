// The tests' MongoDB-wire server: the FerretDB library in front of a PostgreSQL with the DocumentDB extension.
//
// Usage: mongo -postgres URL -listen HOST:PORT -state FOLDER -owned PID. It ends, and has the PostgreSQL of that process
// id end at once, when its standard input does: so both are gone with the test process, however that one ended.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"os"
	"syscall"

	"github.com/FerretDB/FerretDB/v2/ferretdb"
)

func main() {
	postgres := flag.String("postgres", "", "address of PostgreSQL")
	listen := flag.String("listen", "", "address to listen on")
	state := flag.String("state", "", "folder of its own")
	owned := flag.Int("owned", 0, "process id of PostgreSQL")
	flag.Parse()

	telemetry := false
	server, err := ferretdb.New(&ferretdb.Config{
		PostgreSQLURL: *postgres, ListenAddr: *listen, StateDir: *state, Telemetry: &telemetry, LogOutput: os.Stderr,
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		if *owned > 1 {
			_ = syscall.Kill(*owned, syscall.SIGQUIT)
		}
		os.Exit(0)
	}()
	server.Run(context.Background())
}
