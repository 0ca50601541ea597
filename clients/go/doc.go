// Package meshflow calls a meshflow server: governed runs of AI agents, their live events and their evidence.
//
// A refusal by governance is an outcome, not an error: Run returns the run and its Status says "blocked". An error,
// always an *Error, means that the call itself failed; its Reason is a constant of this package.
package meshflow
