package meshflow

import (
	"context"
	"errors"
	"iter"
	"time"

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
		w := &watch{client: c, runID: runID, view: options.EventView, after: options.AfterSequence, yield: yield}
		if err := w.follow(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(nil, callError(err))
		}
	}
}

type watch struct {
	client *Client
	runID  string
	view   string
	after  int32
	broken int
	ended  bool
	yield  func(*RunEvent, error) bool
}

func (w *watch) follow(ctx context.Context) error {
	for {
		err := w.once(ctx)
		if err == nil && !w.ended {
			w.ended, err = w.nothingAfter(ctx)
		}
		if err == nil && w.ended {
			return nil
		}
		if err != nil && (!isBreak(ctx, err) || w.broken >= w.client.settings.reconnects) {
			return err
		}
		if err := pause(ctx, min(w.client.settings.reconnectDelay<<min(w.broken, 16), maxReconnectDelay)); err != nil {
			return err
		}
		w.broken++
	}
}

// once follows one stream; nil means that it ended without an error.
func (w *watch) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &meshflowv1.WatchRunRequest{RunId: w.runID, AfterSequence: w.after, EventView: w.view}
	stream, err := w.client.runs.WatchRun(ctx, request)
	if err == nil {
		err = forward(stream, w.accept)
	}
	if w.ended {
		return nil
	}
	return err
}

// accept hands on an event that is new and says whether to go on.
func (w *watch) accept(event *RunEvent) bool {
	if event.Sequence != nil {
		if event.GetSequence() <= w.after {
			return true
		}
		w.after = event.GetSequence()
	}
	w.broken = 0
	if !w.yield(event, nil) {
		return false
	}
	w.ended = event.GetEventType() == "run_completed"
	return !w.ended
}

// nothingAfter says whether a stream that ended without run_completed had nothing more to say.
func (w *watch) nothingAfter(ctx context.Context) (bool, error) {
	run, err := w.client.GetRun(ctx, w.runID)
	if err != nil {
		return false, err
	}
	ended := run.GetStatus() != "running" && run.GetStatus() != "paused"
	return ended && run.GetLedgerHead().GetSequence() <= w.after, nil
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
