// Command verify verifies a run without trusting the server: its chain, and its place in the log under a signed head.
//
//	go run ./examples/verify -address 127.0.0.1:8765 -origin NAME -key VKEY run_...
//
// Name and public key of the log come from the operator, another way than from the server (`meshflow ledger keygen` printed it).
// With -kept FILE, a checkpoint from before, it verifies too that the log still begins as it did then, and keeps the newest there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"

	"meshflow.dev/go/meshflow"
	"meshflow.dev/go/meshflow/evidence"
)

func main() {
	log.SetFlags(0)
	address := flag.String("address", meshflow.DefaultAddress, "host:port or URL of the server")
	origin := flag.String("origin", "", "name of the log")
	key := flag.String("key", "", "public key of the log (vkey)")
	kept := flag.String("kept", "", "file with the checkpoint of the time before")
	flag.Parse()
	if err := verify(context.Background(), *address, *origin, *key, *kept, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func verify(ctx context.Context, address, origin, key, kept, runID string) error {
	verifier, err := evidence.New(origin, key)
	if err != nil {
		return err
	}
	client, err := meshflow.Dial(address, meshflow.WithToken(os.Getenv("MESHFLOW_TOKEN")))
	if err != nil {
		return err
	}
	defer client.Close()
	var checkpoint []byte
	if kept != "" {
		checkpoint, err = os.ReadFile(kept)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	report, err := verifier.VerifyRun(ctx, client, runID, string(checkpoint))
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d entries under the head of %d, ended: %t\n", runID, len(report.Entries), report.Head.Size, report.Ended)
	if kept != "" {
		return os.WriteFile(kept, []byte(report.Head.Checkpoint), 0o600)
	}
	return nil
}
