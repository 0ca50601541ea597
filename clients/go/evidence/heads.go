// Package evidence verifies what a meshflow server recorded without trusting the server: heads of its log by public keys that came
// another way (C2SP signed notes), entries by Merkle proofs under those heads (RFC 9162) and runs by their hash chains. The
// Merkle and signature code is not meshflow's: github.com/transparency-dev/merkle and golang.org/x/mod/sumdb/note.
//
// Payloads are not opened: the salts of their commitments travel only in the bundle that ExportRun gives and
// `meshflow audit verify` checks.
package evidence

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"meshflow.dev/go/meshflow"
)

// ErrInvalid is wrapped by every error that says that evidence does not hold, unlike one of a call that failed.
var ErrInvalid = errors.New("evidence does not hold")

// Verifier believes the heads of one log.
type Verifier struct {
	origin string
	keys   note.Verifiers
}

// Head is a signed head whose signature was verified: keep its Checkpoint, to have the log's growth verified later.
type Head struct {
	Origin     string
	Size       uint64
	Root       []byte
	Checkpoint string
}

// New returns a verifier of the log of that name (MESHFLOW_LOG_ORIGIN) that trusts public keys, vkeys, obtained from the operator by
// another way than from the server.
func New(origin string, keys ...string) (*Verifier, error) {
	if origin == "" || len(keys) == 0 {
		return nil, errors.New("meshflow/evidence: name the log and at least one trusted key")
	}
	verifiers := make([]note.Verifier, 0, len(keys))
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("meshflow/evidence: key %q: %w", key, err)
		}
		verifiers = append(verifiers, verifier)
	}
	return &Verifier{origin: origin, keys: note.VerifierList(verifiers...)}, nil
}

// Head verifies a checkpoint: a trusted key signed it, and it is of this log.
func (v *Verifier) Head(checkpoint string) (*Head, error) {
	opened, err := note.Open([]byte(checkpoint), v.keys)
	if err != nil {
		return nil, invalid("head: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, invalid("head: it has %d lines, not 3", len(lines)-1)
	}
	if lines[0] != v.origin {
		return nil, invalid("head: it is of the log %q, not %q", lines[0], v.origin)
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return nil, invalid("head: %q is no size", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != rfc6962.DefaultHasher.Size() {
		return nil, invalid("head: %q is no root", lines[2])
	}
	return &Head{Origin: lines[0], Size: size, Root: root, Checkpoint: checkpoint}, nil
}

// Entry verifies that an entry with this record is in the log, and returns the head it is under.
func (v *Verifier) Entry(record string, p *meshflow.InclusionProof) (*Head, error) {
	head, err := v.Head(p.GetCheckpoint())
	if err != nil {
		return nil, err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf([]byte(record))
	index := uint64(p.GetLeafIndex())
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, head.Size, leaf, p.GetHashes(), head.Root); err != nil {
		return nil, invalid("inclusion of entry %d: %v", p.GetSeq(), err)
	}
	return head, nil
}

// Growth verifies that the log under a later head begins with the whole log under an earlier one.
func (v *Verifier) Growth(earlier, later *Head, p *meshflow.ConsistencyProof) error {
	err := proof.VerifyConsistency(rfc6962.DefaultHasher, earlier.Size, later.Size, p.GetHashes(), earlier.Root, later.Root)
	if err != nil {
		return invalid("growth from %d to %d entries: %v", earlier.Size, later.Size, err)
	}
	return nil
}

// VerifyGrowth asks the server for its newest head and verifies that everything under a checkpoint kept from before still stands:
// nothing was changed, moved or removed. It returns the newest head, to be kept in its turn.
func (v *Verifier) VerifyGrowth(ctx context.Context, client *meshflow.Client, kept string) (*Head, error) {
	newest, err := client.TreeHead(ctx)
	if err != nil {
		return nil, err
	}
	later, err := v.Head(newest.GetCheckpoint())
	if err != nil {
		return nil, err
	}
	return later, v.grewTo(ctx, client, kept, later)
}

func (v *Verifier) grewTo(ctx context.Context, client *meshflow.Client, kept string, later *Head) error {
	earlier, err := v.Head(kept)
	if err != nil {
		return err
	}
	if earlier.Size > later.Size {
		return invalid("growth: the log has %d entries, and had %d: it was rolled back", later.Size, earlier.Size)
	}
	between, err := client.ConsistencyProof(ctx, int64(earlier.Size), int64(later.Size))
	if err != nil {
		return err
	}
	return v.Growth(earlier, later, between)
}

func invalid(format string, arguments ...any) error {
	return fmt.Errorf("meshflow/evidence: %w: %s", ErrInvalid, fmt.Sprintf(format, arguments...))
}
