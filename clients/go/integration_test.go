package meshflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"meshflow.dev/go/meshflow"
)

// realServer connects to the server named by MESHFLOW_TEST_ADDRESS, or skips.
func realServer(t *testing.T) *meshflow.Client {
	t.Helper()
	address := os.Getenv("MESHFLOW_TEST_ADDRESS")
	if address == "" {
		t.Skip("MESHFLOW_TEST_ADDRESS names no server")
	}
	return dial(t, address)
}

// A run completes, is found again and its chain verifies.
func TestRealRun(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	run, err := client.Run(ctx, meshflow.Task("Grüße, 世界 🌍"))
	if err != nil {
		t.Fatal(err)
	}
	if run.GetStatus() != "completed" || run.GetTotalTokens() == 0 || !strings.Contains(run.GetOutput(), "Grüße, 世界 🌍") {
		t.Errorf("run: %v", run)
	}
	again, err := client.GetRun(ctx, run.GetRunId())
	if err != nil || again.GetOutput() != run.GetOutput() {
		t.Errorf("found again: %v, %v", again, err)
	}
	verification, err := client.VerifyRun(ctx, run.GetRunId())
	if err != nil || !verification.GetValid() || verification.GetEntriesChecked() != run.GetLedgerEntries() {
		t.Errorf("verification: %v, %v", verification, err)
	}
	entries, err := client.ListEntries(ctx, &meshflow.ListEntriesRequest{RunId: run.GetRunId()})
	if err != nil || len(entries.GetEntries()) != int(run.GetLedgerEntries()) {
		t.Errorf("entries: %v, %v", entries, err)
	}
	page, err := client.ListRuns(ctx, &meshflow.ListRunsRequest{PageSize: 1})
	if err != nil || len(page.GetRuns()) != 1 {
		t.Errorf("runs: %v, %v", page, err)
	}
	health, err := client.Health(ctx)
	if err != nil || !health.GetOk() {
		t.Errorf("health: %v, %v", health, err)
	}
}

// The same request id is the same run, and another request under it is refused with a typed reason.
func TestRealRequestIDs(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	request := meshflow.Task("once")
	request.RequestId = new("go-once-" + time.Now().Format("150405.000000"))
	first, err := client.CreateRun(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := client.CreateRun(ctx, request); err != nil || second.GetRunId() != first.GetRunId() {
		t.Errorf("second: %v, %v", second, err)
	}
	request.Task = new("another")
	_, err = client.CreateRun(ctx, request)
	failure, ok := errors.AsType[*meshflow.Error](err)
	if !ok || failure.Reason != meshflow.ReasonRequestIDReused || failure.Code != codes.AlreadyExists {
		t.Errorf("got %v", err)
	}
	if done, err := client.WaitRun(ctx, first.GetRunId(), 20*time.Second); err != nil || done.GetStatus() != "completed" {
		t.Errorf("waited: %v, %v", done, err)
	}
}

// A stream and a watch show the same replayable events.
func TestRealEvents(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	var streamed, watched []int32
	var runID, last string
	for event, err := range client.StreamRun(ctx, meshflow.Task("x")) {
		if err != nil {
			t.Fatal(err)
		}
		streamed, runID, last = append(streamed, event.GetSequence()), event.GetRunId(), event.GetEventType()
	}
	for event, err := range client.Watch(ctx, runID, meshflow.WatchOptions{AfterSequence: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		watched = append(watched, event.GetSequence())
	}
	if last != "run_completed" || len(streamed) < 3 || !slices.Equal(streamed[1:], watched) {
		t.Errorf("streamed %v, watched %v, last %q", streamed, watched, last)
	}
}

// A refusal by governance is an outcome; a request that cannot be is an error naming the field.
func TestRealRefusals(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	request := meshflow.Task("x")
	request.Policy = &meshflow.Policy{BudgetUsd: new(0.0000001)}
	run, err := client.Run(ctx, request)
	if err != nil || run.GetStatus() != "blocked" || run.GetBlockedBy() != "budget_check" {
		t.Errorf("run: %v, %v", run, err)
	}
	if check, err := client.CheckRun(ctx, request); err != nil || check.GetAdmissible() {
		t.Errorf("check: %v, %v", check, err)
	}
	request.Policy.BudgetUsd = new(-1.0)
	_, err = client.Run(ctx, request)
	failure, ok := errors.AsType[*meshflow.Error](err)
	if !ok || failure.Reason != meshflow.ReasonInvalidRequest || len(failure.Violations) != 1 || failure.Violations[0].Field != "policy.budget_usd" {
		t.Errorf("got %v", err)
	}
	_, err = client.GetRun(ctx, "run_00000000-0000-7000-8000-000000000000")
	if meshflow.ReasonOf(err) != meshflow.ReasonRunNotFound {
		t.Errorf("got %v", err)
	}
	cancelled, err := client.CancelRun(ctx, run.GetRunId(), "enough")
	if err != nil || cancelled.GetStatus() != "blocked" {
		t.Errorf("an ended run was changed: %v, %v", cancelled, err)
	}
}

// A deadline ends the call with context.DeadlineExceeded.
func TestRealDeadline(t *testing.T) {
	client := realServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := client.Run(ctx, meshflow.Task("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A run leaves as a file; erasing one takes a role, and its refusal is typed.
func TestRealExportAndErasure(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	run, err := client.Run(ctx, meshflow.Task("exported"))
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := client.ExportRun(ctx, run.GetRunId(), "json", &file); err != nil || !json.Valid(file.Bytes()) {
		t.Errorf("export: %v, %s", err, file.String())
	}
	if err := client.ExportRun(ctx, run.GetRunId(), "parquet", &file); meshflow.ReasonOf(err) != meshflow.ReasonInvalidRequest {
		t.Errorf("a format that is none: %v", err)
	}
	if _, err := client.EraseRun(ctx, run.GetRunId(), "gdpr art. 17(1)(b)"); meshflow.ReasonOf(err) != meshflow.ReasonPermissionDenied {
		t.Errorf("erasure without the role: %v", err)
	}
}

// A registered workflow runs by its name; one that is wrong is told what is.
func TestRealWorkflows(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	name := "go-" + time.Now().Format("150405-000000000")
	yaml := "name: " + name + "\nversion: '1'\nentry: a\nnodes:\n  a: {mock: {output: done}}\n"
	if valid, err := client.ValidateWorkflow(ctx, yaml); err != nil || !valid.GetValid() {
		t.Errorf("valid: %v, %v", valid, err)
	}
	if wrong, err := client.ValidateWorkflow(ctx, "name: x"); err != nil || wrong.GetValid() || len(wrong.GetProblems()) == 0 {
		t.Errorf("wrong: %v, %v", wrong, err)
	}
	if _, err := client.PutWorkflow(ctx, yaml); err != nil {
		t.Fatal(err)
	}
	if found, err := client.GetWorkflow(ctx, name+"@1"); err != nil || found.GetYaml() != yaml {
		t.Errorf("found: %v, %v", found, err)
	}
	if page, err := client.ListWorkflows(ctx, &meshflow.ListWorkflowsRequest{Name: name}); err != nil || len(page.GetWorkflows()) != 1 {
		t.Errorf("versions: %v, %v", page, err)
	}
	request := meshflow.Task("x")
	request.Workflow = &name
	if run, err := client.Run(ctx, request); err != nil || run.GetOutput() != "done" {
		t.Errorf("run: %v, %v", run, err)
	}
}

// The node is listed, found by its work and told of; registering others takes a role.
func TestRealMesh(t *testing.T) {
	client, ctx := realServer(t), t.Context()
	nodes, err := client.ListNodes(ctx)
	if err != nil || len(nodes) != 1 || nodes[0].GetSlug() != "build.ai" || !nodes[0].GetLive() {
		t.Fatalf("nodes: %v, %v", nodes, err)
	}
	found, err := client.ResolveNode(ctx, &meshflow.ResolveNodeRequest{Concern: "build"})
	if err != nil || len(found) != 1 || found[0].GetNodeId() != nodes[0].GetNodeId() {
		t.Errorf("found: %v, %v", found, err)
	}
	if _, err := client.ResolveNode(ctx, &meshflow.ResolveNodeRequest{Slug: "nobody.ai"}); meshflow.ReasonOf(err) != meshflow.ReasonNodeNotFound {
		t.Errorf("nobody: %v", err)
	}
	for change, err := range client.WatchMesh(ctx, 0) {
		if err != nil || change.GetKind() != "node_registered" || change.GetSequence() != 1 {
			t.Errorf("change: %v, %v", change, err)
		}
		break
	}
	registration := &meshflow.RegisterNodeRequest{Slug: "agent.ai", Endpoints: []string{"127.0.0.1:1"}}
	if _, err := client.RegisterNode(ctx, registration); meshflow.ReasonOf(err) != meshflow.ReasonPermissionDenied {
		t.Errorf("registered without the role: %v", err)
	}
	if due, err := client.Heartbeat(ctx, nodes[0].GetNodeId()); due != 0 || meshflow.ReasonOf(err) != meshflow.ReasonPermissionDenied {
		t.Errorf("beaten without the role: %v, %v", due, err)
	}
}
