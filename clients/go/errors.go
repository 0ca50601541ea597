package meshflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason is the server's machine-readable reason of an error; empty when something on the way answered in its place.
type Reason string

// FieldViolation names a bad field of a request and how to fix it.
type FieldViolation struct {
	Field       string
	Description string
}

// Error is a call that failed. errors.Is(err, context.DeadlineExceeded) and context.Canceled hold where they apply.
type Error struct {
	Code       codes.Code
	Reason     Reason
	Message    string
	Violations []FieldViolation
	// RetryAfter is when to come back; zero when the server named no time.
	RetryAfter time.Duration
	Metadata   map[string]string
	cause      error
}

func (e *Error) Error() string {
	name := string(e.Reason)
	if name == "" {
		name = e.Code.String()
	}
	return fmt.Sprintf("meshflow: %s: %s", name, e.Message)
}

// Unwrap returns the gRPC status error, so that status.FromError works too.
func (e *Error) Unwrap() error { return e.cause }

// Is matches the context errors that correspond to the code.
func (e *Error) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	case context.Canceled:
		return e.Code == codes.Canceled
	}
	return false
}

// ReasonOf returns the reason of an error, or "" for one that carries none.
func ReasonOf(err error) Reason {
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure.Reason
	}
	return ""
}

// callError reads code, reason, violations and retry time from a failed RPC.
func callError(err error) error {
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure
	}
	answer := status.Convert(err)
	failure := &Error{Code: answer.Code(), Message: answer.Message(), cause: err}
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			failure.Reason, failure.Metadata = Reason(detail.GetReason()), detail.GetMetadata()
		case *errdetails.RetryInfo:
			failure.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				failure.Violations = append(failure.Violations, FieldViolation{violation.GetField(), violation.GetDescription()})
			}
		}
	}
	return failure
}
