package meshflow

import (
	"context"
	"errors"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

const maxReconnectDelay = 5 * time.Second

// WatchOptions select events.
type WatchOptions struct {
	// AfterSequence skips events up to and including this sequence.
	AfterSequence int32
	// EventView is "basic" (default) or "full".
	EventView string
}

// Watch yields a run's events until it has ended, across broken connections: none lost, none twice. It stays open while
// the run is paused. The last pair carries the error, if any.
func (c *Client) Watch(ctx context.Context, runID string, options WatchOptions) iter.Seq2[*RunEvent, error] {
	return func(yield func(*RunEvent, error) bool) {
		open := func(ctx context.Context, after int32) (grpc.ServerStreamingClient[RunEvent], error) {
			request := &meshflowv1.WatchRunRequest{RunId: runID, AfterSequence: after, EventView: options.EventView}
			return c.runs.WatchRun(ctx, request)
		}
		over := func(ctx context.Context, after int32) (bool, error) { return c.nothingAfter(ctx, runID, after) }
		events := &eventStream{settings: c.settings, open: open, over: over, after: options.AfterSequence, yield: yield}
		events.show(ctx)
	}
}

// eventStream shows a run's events over as many streams as it takes.
type eventStream struct {
	settings *settings
	// open begins a stream; what it shows up to after is left out.
	open func(ctx context.Context, after int32) (grpc.ServerStreamingClient[RunEvent], error)
	// over says whether a stream that ended without run_completed had nothing more to say.
	over   func(ctx context.Context, after int32) (bool, error)
	after  int32
	broken int
	ended  bool
	yield  func(*RunEvent, error) bool
}

// show hands on the events, and the error that ends them, if any.
func (s *eventStream) show(ctx context.Context) {
	if err := s.follow(ctx); err != nil && !errors.Is(err, errStopped) {
		s.yield(nil, callError(err))
	}
}

func (s *eventStream) follow(ctx context.Context) error {
	for {
		err := s.once(ctx)
		if err == nil && !s.ended {
			s.ended, err = s.over(ctx, s.after)
		}
		if err == nil && s.ended {
			return nil
		}
		if err != nil && (!isBreak(ctx, err) || s.broken >= s.settings.reconnects) {
			return err
		}
		if err := pause(ctx, min(s.settings.reconnectDelay<<min(s.broken, 16), maxReconnectDelay)); err != nil {
			return err
		}
		s.broken++
	}
}

// once follows one stream to its end; nil means that it ended without an error, or after the run did.
func (s *eventStream) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.open(ctx, s.after)
	if err == nil {
		err = forward(stream, s.accept)
	}
	if s.ended && !errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// accept hands on an event that is new; false says that the reader wants no more.
func (s *eventStream) accept(event *RunEvent) bool {
	if event.Sequence != nil {
		if event.GetSequence() <= s.after {
			return true
		}
		s.after = event.GetSequence()
	}
	s.broken = 0
	s.ended = event.GetEventType() == "run_completed"
	return s.yield(event, nil)
}

// streamOver: the stream of a run that it began ends where the run does, or where it waits for a human.
func streamOver(context.Context, int32) (bool, error) { return true, nil }

// nothingAfter says whether a run has ended and holds nothing after a sequence.
func (c *Client) nothingAfter(ctx context.Context, runID string, after int32) (bool, error) {
	run, err := c.GetRun(ctx, runID)
	if err != nil {
		return false, err
	}
	ended := run.GetStatus() != "running" && run.GetStatus() != "paused"
	return ended && run.GetLedgerHead().GetSequence() <= after, nil
}

// isBreak tells a stream that broke on the way from a server that refused on purpose or a caller that left.
func isBreak(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*Error](callError(err))
	if !ok || ctx.Err() != nil || errors.Is(err, errStopped) {
		return false
	}
	switch failure.Code {
	case codes.Unavailable, codes.Unknown, codes.Internal, codes.Canceled:
	default:
		return false
	}
	switch failure.Reason {
	case "", ReasonDraining, ReasonNotReady, ReasonLedgerUnavailable:
		return true
	}
	return false
}

func pause(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &Error{Code: codeOf(ctx.Err()), Message: ctx.Err().Error(), cause: ctx.Err()}
	}
}

func codeOf(err error) codes.Code {
	if errors.Is(err, context.DeadlineExceeded) {
		return codes.DeadlineExceeded
	}
	return codes.Canceled
}
