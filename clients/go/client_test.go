package meshflow_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"meshflow.dev/go/meshflow"
	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

// scriptedServer is a real gRPC server whose answers a test scripts.
type scriptedServer struct {
	meshflowv1.UnimplementedRunServiceServer
	mu       sync.Mutex
	requests []*meshflow.RunRequest
	forks    int
	watches  []int32
	streams  []string
	// breaks end the next streams of runs with UNAVAILABLE, each after so many events.
	breaks   []int32
	tokens   []string
	deadline time.Duration
	refusals []error
	// breakAfter ends a watch with UNAVAILABLE after so many events.
	breakAfter int
	last       int32
}

func (s *scriptedServer) refusal() error {
	if len(s.refusals) == 0 {
		return nil
	}
	err := s.refusals[0]
	s.refusals = s.refusals[1:]
	return err
}

func (s *scriptedServer) Run(ctx context.Context, request *meshflow.RunRequest) (*meshflow.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
	incoming, _ := metadata.FromIncomingContext(ctx)
	s.tokens = incoming.Get("authorization")
	if err := s.refusal(); err != nil {
		return nil, err
	}
	return &meshflow.Run{RunId: "run_1", Status: "completed"}, nil
}

func (s *scriptedServer) ForkRun(context.Context, *meshflow.ForkRunRequest) (*meshflow.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forks++
	return &meshflow.Run{RunId: "run_2"}, s.refusal()
}

func (s *scriptedServer) GetRun(ctx context.Context, _ *meshflowv1.GetRunRequest) (*meshflow.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, _ := ctx.Deadline()
	s.deadline = time.Until(until)
	if err := s.refusal(); err != nil {
		return nil, err
	}
	head := &meshflowv1.LedgerHead{Sequence: s.last}
	return &meshflow.Run{RunId: "run_1", Status: "completed", LedgerHead: head}, nil
}

func (s *scriptedServer) WatchRun(request *meshflowv1.WatchRunRequest, stream grpc.ServerStreamingServer[meshflow.RunEvent]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches = append(s.watches, request.GetAfterSequence())
	if err := s.refusal(); err != nil {
		return err
	}
	sent := 0
	// The event at after_sequence is repeated on purpose: a client must not show it twice.
	for sequence := max(request.GetAfterSequence(), 1); sequence <= s.last; sequence++ {
		if s.breakAfter > 0 && sent > s.breakAfter {
			return status.Error(codes.Unavailable, "connection reset")
		}
		event := &meshflow.RunEvent{EventType: "agent_completed", RunId: request.GetRunId(), Sequence: new(sequence)}
		if sequence == s.last {
			event.EventType = "run_completed"
		}
		if err := stream.Send(event); err != nil {
			return err
		}
		sent++
	}
	return nil
}

func (s *scriptedServer) StreamRun(request *meshflow.RunRequest, stream grpc.ServerStreamingServer[meshflow.RunEvent]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams = append(s.streams, request.GetRequestId())
	if err := s.refusal(); err != nil {
		return err
	}
	shown := s.last
	if len(s.breaks) > 0 {
		shown, s.breaks = s.breaks[0], s.breaks[1:]
	}
	for sequence := int32(1); sequence <= shown; sequence++ {
		event := &meshflow.RunEvent{EventType: "agent_completed", RunId: "run_1", Sequence: new(sequence)}
		if err := stream.Send(event); err != nil {
			return err
		}
	}
	if shown < s.last {
		return status.Error(codes.Unavailable, "connection reset")
	}
	return nil
}

func serve(t *testing.T, s *scriptedServer, options ...meshflow.Option) *meshflow.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	meshflowv1.RegisterRunServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return dial(t, listener.Addr().String(), options...)
}

func dial(t *testing.T, address string, options ...meshflow.Option) *meshflow.Client {
	t.Helper()
	options = append([]meshflow.Option{meshflow.WithReconnects(3, time.Millisecond)}, options...)
	client, err := meshflow.Dial(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func refuse(t *testing.T, code codes.Code, details ...protoadapt.MessageV1) error {
	t.Helper()
	answer, err := status.New(code, "refused").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Err()
}

func info(reason meshflow.Reason) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: string(reason), Domain: "meshflow.dev", Metadata: map[string]string{"limit": "1"}}
}

// A run is retried under the same fresh request id after UNAVAILABLE, and the caller's message stays as it was.
func TestRetriesCarryOneRequestID(t *testing.T) {
	server := &scriptedServer{refusals: []error{status.Error(codes.Unavailable, "gone"), status.Error(codes.Unavailable, "gone")}}
	client := serve(t, server, meshflow.WithToken("secret"))
	request := meshflow.Task("x")
	run, err := client.Run(t.Context(), request)
	if err != nil || run.GetStatus() != "completed" {
		t.Fatalf("run %v, error %v", run, err)
	}
	if len(server.requests) != 3 || server.requests[0].GetRequestId() == "" {
		t.Fatalf("requests: %v", server.requests)
	}
	for _, sent := range server.requests {
		if sent.GetRequestId() != server.requests[0].GetRequestId() {
			t.Errorf("a retry changed the request id: %v", server.requests)
		}
	}
	if request.RequestId != nil {
		t.Error("the caller's request was changed")
	}
	if !slices.Equal(server.tokens, []string{"Bearer secret"}) {
		t.Errorf("authorization: %v", server.tokens)
	}
}

// A request of 3 MB is retried like a small one.
func TestLargeRequestsAreRetried(t *testing.T) {
	server := &scriptedServer{refusals: []error{status.Error(codes.Unavailable, "gone")}}
	task := strings.Repeat("x", 3_000_000)
	if _, err := serve(t, server).Run(t.Context(), meshflow.Task(task)); err != nil {
		t.Fatal(err)
	}
	if len(server.requests) != 2 || server.requests[1].GetTask() != task {
		t.Errorf("%d requests", len(server.requests))
	}
}

// Without a request id a second try of a fork could start a second run: it is never retried.
func TestForksAreNotRetried(t *testing.T) {
	server := &scriptedServer{refusals: []error{status.Error(codes.Unavailable, "gone")}}
	_, err := serve(t, server).ForkRun(t.Context(), &meshflow.ForkRunRequest{RunId: "run_1", BeforeNode: "writer"})
	if err == nil || server.forks != 1 {
		t.Errorf("%d forks, error %v", server.forks, err)
	}
}

// Reason, code, violations, metadata and retry time arrive as typed values.
func TestErrorsAreTyped(t *testing.T) {
	bad := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "policy.budget_usd", Description: "must be positive"}}}
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}
	server := &scriptedServer{refusals: []error{refuse(t, codes.ResourceExhausted, info(meshflow.ReasonRateLimited), bad, retry)}}
	_, err := serve(t, server).Run(t.Context(), meshflow.Task("x"))
	failure, ok := errors.AsType[*meshflow.Error](err)
	if !ok {
		t.Fatalf("%T is not an *Error", err)
	}
	if failure.Code != codes.ResourceExhausted || failure.Reason != meshflow.ReasonRateLimited || failure.RetryAfter != 1500*time.Millisecond {
		t.Errorf("got %+v", failure)
	}
	if !slices.Equal(failure.Violations, []meshflow.FieldViolation{{Field: "policy.budget_usd", Description: "must be positive"}}) {
		t.Errorf("violations: %v", failure.Violations)
	}
	if failure.Metadata["limit"] != "1" || meshflow.ReasonOf(err) != meshflow.ReasonRateLimited {
		t.Errorf("got %+v", failure)
	}
	if len(server.requests) != 1 {
		t.Errorf("RESOURCE_EXHAUSTED was retried: %d requests", len(server.requests))
	}
}

// A call that does not wait for a run gets the client's timeout; the context's own deadline wins.
func TestCallsHaveDeadlines(t *testing.T) {
	server := &scriptedServer{}
	client := serve(t, server, meshflow.WithTimeout(7*time.Second))
	if _, err := client.GetRun(t.Context(), "run_1"); err != nil {
		t.Fatal(err)
	}
	if server.deadline <= 5*time.Second || server.deadline > 7*time.Second {
		t.Errorf("default deadline: %v", server.deadline)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := client.GetRun(ctx, "run_1"); err != nil {
		t.Fatal(err)
	}
	if server.deadline > 3*time.Second {
		t.Errorf("own deadline: %v", server.deadline)
	}
}

// A watch goes on after each break from the last sequence: no event is lost, none shown twice.
func TestWatchResumes(t *testing.T) {
	server := &scriptedServer{breakAfter: 2, last: 7}
	got, err := sequences(serve(t, server), t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []int32{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("sequences: %v", got)
	}
	if !slices.Equal(server.watches, []int32{0, 3, 5}) {
		t.Errorf("resumed after: %v", server.watches)
	}
}

// A server that refuses on purpose ends the watch at once, and an unreachable one after the allowed reconnects.
func TestWatchGivesUp(t *testing.T) {
	refusing := &scriptedServer{refusals: []error{refuse(t, codes.NotFound, info(meshflow.ReasonRunNotFound))}}
	if _, err := sequences(serve(t, refusing), t.Context()); meshflow.ReasonOf(err) != meshflow.ReasonRunNotFound || len(refusing.watches) != 1 {
		t.Errorf("error %v after %d watches", err, len(refusing.watches))
	}
	broken := &scriptedServer{}
	for range 100 {
		broken.refusals = append(broken.refusals, status.Error(codes.Internal, "reset"))
	}
	if _, err := sequences(serve(t, broken), t.Context()); err == nil || len(broken.watches) != 4 {
		t.Errorf("error %v after %d watches, not 4", err, len(broken.watches))
	}
}

// A streamed run goes on after each break under its request id: no event is lost, none shown twice. Where it waits, it ends.
func TestStreamRunResumes(t *testing.T) {
	server := &scriptedServer{breaks: []int32{1, 2}, last: 4}
	got, err := streamed(serve(t, server))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []int32{1, 2, 3, 4}) {
		t.Errorf("sequences: %v", got)
	}
	if len(server.streams) != 3 || server.streams[0] == "" || len(slices.Compact(server.streams)) != 1 {
		t.Errorf("request ids: %v", server.streams)
	}
}

// A server that refuses on purpose is asked once for a streamed run, one that keeps breaking as often as allowed.
func TestStreamRunGivesUp(t *testing.T) {
	refusing := &scriptedServer{refusals: []error{refuse(t, codes.InvalidArgument, info(meshflow.ReasonInvalidRequest))}}
	if _, err := streamed(serve(t, refusing)); meshflow.ReasonOf(err) != meshflow.ReasonInvalidRequest || len(refusing.streams) != 1 {
		t.Errorf("error %v after %d streams", err, len(refusing.streams))
	}
	broken := &scriptedServer{}
	for range 100 {
		broken.refusals = append(broken.refusals, status.Error(codes.Internal, "reset"))
	}
	if _, err := streamed(serve(t, broken)); err == nil || len(broken.streams) != 4 {
		t.Errorf("error %v after %d streams, not 4", err, len(broken.streams))
	}
}

// Leaving the loop ends the watch; a cancelled context ends it with context.Canceled.
func TestWatchStops(t *testing.T) {
	client := serve(t, &scriptedServer{last: 5})
	seen := 0
	for range client.Watch(t.Context(), "run_1", meshflow.WatchOptions{}) {
		seen++
		break
	}
	if seen != 1 {
		t.Errorf("saw %d events after break", seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sequences(client, ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// An address that is none is refused before anything is sent.
func TestAddressesAreChecked(t *testing.T) {
	for _, address := range []string{"", "host", "host:0", "host:99999", "ftp://host", "https://host/path"} {
		if _, err := meshflow.Dial(address); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
	for _, address := range []string{"127.0.0.1:8765", "http://localhost:1", "https://host", "https://[::1]:8443"} {
		if _, err := meshflow.Dial(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func sequences(client *meshflow.Client, ctx context.Context) ([]int32, error) {
	var got []int32
	for event, err := range client.Watch(ctx, "run_1", meshflow.WatchOptions{}) {
		if err != nil {
			return got, err
		}
		got = append(got, event.GetSequence())
	}
	return got, nil
}

func streamed(client *meshflow.Client) ([]int32, error) {
	var got []int32
	for event, err := range client.StreamRun(context.Background(), meshflow.Task("x")) {
		if err != nil {
			return got, err
		}
		got = append(got, event.GetSequence())
	}
	return got, nil
}
