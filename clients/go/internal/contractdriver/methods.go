package main

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"meshflow.dev/go/meshflow"
)

type emitter func(*meshflow.RunEvent) error

type method func(ctx context.Context, client *meshflow.Client, args json.RawMessage, emit emitter) (proto.Message, error)

// arguments are those of the calls that are not one message.
type arguments struct {
	Request       json.RawMessage `json:"request"`
	Until         string          `json:"until"`
	RunID         string          `json:"run_id"`
	RunA          string          `json:"run_a"`
	RunB          string          `json:"run_b"`
	ApprovalID    string          `json:"approval_id"`
	Reason        string          `json:"reason"`
	TimeoutS      float64         `json:"timeout_s"`
	AfterSequence int32           `json:"after_sequence"`
	EventView     string          `json:"event_view"`
}

var methods = map[string]method{
	"run":        started((*meshflow.Client).Run),
	"create_run": started((*meshflow.Client).CreateRun),
	"check_run":  started((*meshflow.Client).CheckRun),
	"stream_run": streamed(func(ctx context.Context, c *meshflow.Client, a *arguments) (iter.Seq2[*meshflow.RunEvent, error], error) {
		request := &meshflow.RunRequest{}
		err := into(a.Request, request)
		return c.StreamRun(ctx, request), err
	}),
	"watch_run": streamed(func(ctx context.Context, c *meshflow.Client, a *arguments) (iter.Seq2[*meshflow.RunEvent, error], error) {
		return c.Watch(ctx, a.RunID, meshflow.WatchOptions{AfterSequence: a.AfterSequence, EventView: a.EventView}), nil
	}),
	"get_run": named(func(ctx context.Context, c *meshflow.Client, a *arguments) (*meshflow.Run, error) {
		return c.GetRun(ctx, a.RunID)
	}),
	"wait_run": named(func(ctx context.Context, c *meshflow.Client, a *arguments) (*meshflow.Run, error) {
		return c.WaitRun(ctx, a.RunID, time.Duration(a.TimeoutS*float64(time.Second)))
	}),
	"cancel_run": named(func(ctx context.Context, c *meshflow.Client, a *arguments) (*meshflow.Run, error) {
		return c.CancelRun(ctx, a.RunID, a.Reason)
	}),
	"diff_runs": named(func(ctx context.Context, c *meshflow.Client, a *arguments) (*meshflow.RunDiff, error) {
		return c.DiffRuns(ctx, a.RunA, a.RunB)
	}),
	"verify_run": named(func(ctx context.Context, c *meshflow.Client, a *arguments) (*meshflow.Verification, error) {
		return c.VerifyRun(ctx, a.RunID)
	}),
	"get_approval": named(func(ctx context.Context, c *meshflow.Client, a *arguments) (*meshflow.Approval, error) {
		return c.GetApproval(ctx, a.ApprovalID)
	}),
	"health": named(func(ctx context.Context, c *meshflow.Client, _ *arguments) (*meshflow.ServerHealth, error) {
		return c.Health(ctx)
	}),
	"fork_run":        message((*meshflow.Client).ForkRun),
	"list_runs":       message((*meshflow.Client).ListRuns),
	"list_entries":    message((*meshflow.Client).ListEntries),
	"list_approvals":  message((*meshflow.Client).ListApprovals),
	"decide_approval": message((*meshflow.Client).DecideApproval),
}

// into reads protobuf JSON; what has no place in the message's type is unsendable.
func into(text json.RawMessage, request proto.Message) error {
	if len(text) == 0 {
		return nil
	}
	if err := protojson.Unmarshal(text, request); err != nil {
		return unsendable{err}
	}
	return nil
}

// started makes a method of a call that takes a RunRequest.
func started[Response proto.Message](
	call func(*meshflow.Client, context.Context, *meshflow.RunRequest) (Response, error),
) method {
	return named(func(ctx context.Context, c *meshflow.Client, a *arguments) (Response, error) {
		request := &meshflow.RunRequest{}
		if err := into(a.Request, request); err != nil {
			var none Response
			return none, err
		}
		return call(c, ctx, request)
	})
}

// named makes a method of a call with single arguments.
func named[Response proto.Message](
	call func(context.Context, *meshflow.Client, *arguments) (Response, error),
) method {
	return func(ctx context.Context, client *meshflow.Client, args json.RawMessage, _ emitter) (proto.Message, error) {
		a := &arguments{}
		if err := json.Unmarshal(args, a); err != nil {
			return nil, unsendable{err}
		}
		return call(ctx, client, a)
	}
}

// message makes a method of a call whose arguments are its message's fields.
func message[Request any, Pointer interface {
	*Request
	proto.Message
}, Response proto.Message](call func(*meshflow.Client, context.Context, Pointer) (Response, error)) method {
	return func(ctx context.Context, client *meshflow.Client, args json.RawMessage, _ emitter) (proto.Message, error) {
		request := Pointer(new(Request))
		if err := into(args, request); err != nil {
			return nil, err
		}
		return call(client, ctx, request)
	}
}

// streamed makes a method that writes each event when it arrives.
func streamed(
	open func(context.Context, *meshflow.Client, *arguments) (iter.Seq2[*meshflow.RunEvent, error], error),
) method {
	return func(ctx context.Context, client *meshflow.Client, args json.RawMessage, emit emitter) (proto.Message, error) {
		a := &arguments{}
		if err := json.Unmarshal(args, a); err != nil {
			return nil, unsendable{err}
		}
		events, err := open(ctx, client, a)
		if err != nil {
			return nil, err
		}
		for event, err := range events {
			if err != nil {
				return nil, err
			}
			if err := emit(event); err != nil {
				return nil, err
			}
			if event.GetEventType() == a.Until {
				break
			}
		}
		return nil, nil
	}
}
