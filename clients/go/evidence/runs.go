package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"

	"meshflow.dev/go/meshflow"
)

// Report is what was verified of a run.
type Report struct {
	RunID   string
	Entries []*meshflow.LedgerEntry
	// Head is the signed head that the run's last entry, and so every entry of the run, is under.
	Head *Head
	// Ended tells whether the chain holds run_finished. Of a run that goes on, later entries may have been withheld.
	Ended bool
}

// VerifyRun reads a run's entries and verifies them: each hash, each link, what the server shows beside the record, and by a Merkle
// proof that the last one is in the log under a trusted head. With a checkpoint kept from before, "" for none, it verifies too
// that the log still begins as it did then.
func (v *Verifier) VerifyRun(ctx context.Context, client *meshflow.Client, runID, kept string) (*Report, error) {
	entries, err := entriesOf(ctx, client, runID)
	if err != nil {
		return nil, err
	}
	if err := Chain(runID, entries); err != nil {
		return nil, err
	}
	last := entries[len(entries)-1]
	inclusion, err := client.InclusionProof(ctx, runID, int64(last.GetSequence()))
	if err != nil {
		return nil, err
	}
	head, err := v.Entry(last.GetRecord(), inclusion)
	if err != nil {
		return nil, err
	}
	if kept != "" {
		if err := v.grewTo(ctx, client, kept, head); err != nil {
			return nil, err
		}
	}
	report := &Report{RunID: runID, Entries: entries, Head: head}
	for _, entry := range entries {
		report.Ended = report.Ended || entry.GetKind() == "run_finished"
	}
	return report, nil
}

func entriesOf(ctx context.Context, client *meshflow.Client, runID string) ([]*meshflow.LedgerEntry, error) {
	var entries []*meshflow.LedgerEntry
	request := &meshflow.ListEntriesRequest{RunId: runID, PageSize: 1000}
	for {
		page, err := client.ListEntries(ctx, request)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.GetEntries()...)
		if page.GetNextPageToken() == "" {
			return entries, nil
		}
		request.PageToken = page.GetNextPageToken()
	}
}

// record are the fields of a record, in docs/ledger-format.md.
type record struct {
	Version  int             `json:"v"`
	RunID    string          `json:"run_id"`
	TenantID string          `json:"tenant_id"`
	Sequence int32           `json:"sequence"`
	Kind     string          `json:"kind"`
	Time     string          `json:"time"`
	NodeID   string          `json:"node_id"`
	StepID   string          `json:"step_id"`
	Attempt  int32           `json:"attempt"`
	PrevHash string          `json:"prev_hash"`
	Input    *string         `json:"input"`
	Output   *string         `json:"output"`
	Change   json.RawMessage `json:"change"`
	Facts    json.RawMessage `json:"facts"`
}

// Chain verifies that entries are a run's chain from its first entry on: each hash is its record's, each record names the hash before
// it, and what is shown beside the record is what the record says.
func Chain(runID string, entries []*meshflow.LedgerEntry) error {
	if len(entries) == 0 {
		return invalid("run %s has no entries", runID)
	}
	previous := strings.Repeat("0", 2*sha256.Size)
	for i, entry := range entries {
		if err := link(runID, int32(i)+1, previous, entry); err != nil {
			return err
		}
		previous = entry.GetHash()
	}
	return nil
}

func link(runID string, sequence int32, previous string, entry *meshflow.LedgerEntry) error {
	var r record
	decoder := json.NewDecoder(bytes.NewReader([]byte(entry.GetRecord())))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil || decoder.More() || r.Version != 1 {
		return invalid("entry %d: the record is none of version 1: %v", sequence, err)
	}
	for _, field := range []struct {
		name        string
		says, shown any
	}{
		{"run_id", r.RunID, runID},
		{"run_id", r.RunID, entry.GetRunId()},
		{"sequence", r.Sequence, sequence},
		{"sequence", r.Sequence, entry.GetSequence()},
		{"prev_hash", r.PrevHash, previous},
		{"prev_hash", r.PrevHash, entry.GetPrevHash()},
		{"kind", r.Kind, entry.GetKind()},
		{"node_id", r.NodeID, entry.GetNodeId()},
		{"step_id", r.StepID, entry.GetStepId()},
		{"attempt", r.Attempt, entry.GetAttempt()},
		{"time", r.Time, entry.GetTime().AsTime().Format("2006-01-02T15:04:05.000Z07:00")},
		{"hash", hashOf(entry.GetRecord()), entry.GetHash()},
	} {
		if field.says != field.shown {
			return invalid("entry %d: %s is %v, not %v", sequence, field.name, field.says, field.shown)
		}
	}
	return nil
}

func hashOf(record string) string {
	hash := sha256.New()
	hash.Write([]byte("meshflow/v1/chain\x00"))
	hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(record))))
	hash.Write([]byte(record))
	return hex.EncodeToString(hash.Sum(nil))
}
