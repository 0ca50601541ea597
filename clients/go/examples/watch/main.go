// Command watch starts a run, follows its events and verifies its evidence.
//
//	go run ./examples/watch -address 127.0.0.1:8765 "Compare three message queues"
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"meshflow.dev/go/meshflow"
)

func main() {
	log.SetFlags(0)
	address := flag.String("address", meshflow.DefaultAddress, "host:port or URL of the server")
	flag.Parse()
	task := "Compare three message queues"
	if flag.NArg() > 0 {
		task = flag.Arg(0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := follow(ctx, *address, task); err != nil {
		log.Fatal(err)
	}
}

func follow(ctx context.Context, address, task string) error {
	client, err := meshflow.Dial(address, meshflow.WithToken(os.Getenv("MESHFLOW_TOKEN")))
	if err != nil {
		return err
	}
	defer client.Close()
	request := meshflow.Task(task)
	request.Policy = &meshflow.Policy{BudgetUsd: new(0.5)}
	run, err := client.CreateRun(ctx, request)
	if err != nil {
		return err
	}
	for event, err := range client.Watch(ctx, run.GetRunId(), meshflow.WatchOptions{}) {
		if err != nil {
			return err
		}
		fmt.Printf("%3d %-16s %s\n", event.GetSequence(), event.GetEventType(), event.GetNodeId())
	}
	verification, err := client.VerifyRun(ctx, run.GetRunId())
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d entries, valid: %t\n", run.GetRunId(), verification.GetEntriesChecked(), verification.GetValid())
	return nil
}
