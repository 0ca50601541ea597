package meshflow

import (
	"context"
	"errors"
	"io"

	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

// TreeHead returns the newest signed head of the log over all entries; package evidence verifies it.
func (c *Client) TreeHead(ctx context.Context) (*TreeHead, error) {
	answer, err := bounded(ctx, c, 0, c.ledger.GetTreeHead, &meshflowv1.GetTreeHeadRequest{})
	return answer.GetHead(), err
}

// InclusionProof returns the proof that an entry of a run, counted from 1, is in the log.
func (c *Client) InclusionProof(ctx context.Context, runID string, sequence int64) (*InclusionProof, error) {
	request := &meshflowv1.GetInclusionProofRequest{RunId: runID, Sequence: sequence}
	answer, err := bounded(ctx, c, 0, c.ledger.GetInclusionProof, request)
	return answer.GetProof(), err
}

// ConsistencyProof returns the proof that the log at the first size is a prefix of the log at the second; 0 for the second means
// the newest head's.
func (c *Client) ConsistencyProof(ctx context.Context, first, second int64) (*ConsistencyProof, error) {
	request := &meshflowv1.GetConsistencyProofRequest{First: first, Second: second}
	answer, err := bounded(ctx, c, 0, c.ledger.GetConsistencyProof, request)
	return answer.GetProof(), err
}

// ExportRun writes a run as a file: "json", "csv" or "evidence", the bundle that `meshflow audit verify` checks offline. After an
// error what was written is incomplete.
func (c *Client) ExportRun(ctx context.Context, runID, format string, to io.Writer) error {
	if _, has := ctx.Deadline(); !has && c.settings.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.settings.timeout)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.ledger.ExportRun(ctx, &meshflowv1.ExportRunRequest{RunId: runID, Format: format})
	for err == nil {
		piece, failure := stream.Recv()
		if errors.Is(failure, io.EOF) {
			return nil
		}
		if failure != nil {
			return callError(failure)
		}
		_, err = to.Write(piece.GetData())
		if err != nil {
			return err
		}
	}
	return callError(err)
}

// EraseRun removes what people wrote from a run that has ended, for good, on a legal ground that is recorded; the chain stays valid.
func (c *Client) EraseRun(ctx context.Context, runID, basis string) (*Erasure, error) {
	return bounded(ctx, c, 0, c.ledger.EraseRun, &meshflowv1.EraseRunRequest{RunId: runID, Basis: basis})
}
