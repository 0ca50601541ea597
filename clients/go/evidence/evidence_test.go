package evidence_test

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"meshflow.dev/go/meshflow"
	"meshflow.dev/go/meshflow/evidence"
)

// The vectors of docs/merkle-log.md and docs/ledger-format.md.
const (
	origin     = "log.example.org/meshflow"
	key        = "log.example.org/meshflow+68c88269+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
	checkpoint = "log.example.org/meshflow\n7\n23tjDfWxDuA84YWogiJ49homh5p1GAnnv7elivJFe5c=\n\n" +
		"— log.example.org/meshflow aMiCae+8VLDafummxI6oKnBCFsTZ4TgBHLSc5PiCL7gXURjKxrpm9ndx9KefZDQh5O7eLmNIFcv+YSjdqktcF2yxgAI=\n"
	entryFive = `{"entry":5}`
	record1   = `{"attempt":1,"change":{"header":"65061b7fb752a5c3d27b1ae72f60bfdeddbb362450184848616c1f88a46c3958","status":"running"},"facts":{"workflow":"default"},"input":"0e536b826bf0aa59787888ee8d09c339f1fe9e42f570735ea69e61757107cb1c","kind":"run_started","node_id":"","output":null,"prev_hash":"0000000000000000000000000000000000000000000000000000000000000000","run_id":"run_1","sequence":1,"step_id":"","tenant_id":"acme","time":"2026-01-02T03:00:00.000Z","v":1}`
	hash1     = "6650a213af088a05bf3814ceec95574878c9dfeaccec37de914ddd0d300d06a9"
	record2   = `{"attempt":1,"change":{"reason":"f705aa20f4bcfb6cea51432337a3ee75fb9cd4db0fa3342c67ce678845be38af","usage":{"carbon_ug":40,"cost_nano_usd":3000,"input_tokens":12,"output_tokens":8,"steps":1}},"facts":{"risk":["read_only",{"place":1}],"text":"ü\u001f\"😀","verdict":"committed"},"input":"a15b71a7d8dacdaa97237b7c45002c203a7b9b89a69df02bd2b4d231cb795064","kind":"step_committed","node_id":"node_1","output":"08100809a57fa1ab76766adfb88fa00934b68ec69980ba3677bd71f8dc5085cb","prev_hash":"6650a213af088a05bf3814ceec95574878c9dfeaccec37de914ddd0d300d06a9","run_id":"run_1","sequence":2,"step_id":"step_1","tenant_id":"acme","time":"2026-01-02T03:00:01.000Z","v":1}`
	hash2     = "c4e01fd6beb182580ddc642adf1a9c56268919fdc55caf25d223bdfdbccbb67f"
)

func verifier(t *testing.T) *evidence.Verifier {
	t.Helper()
	v, err := evidence.New(origin, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hashes(t *testing.T, texts ...string) [][]byte {
	t.Helper()
	var found [][]byte
	for _, text := range texts {
		hash, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, hash)
	}
	return found
}

func inclusion(t *testing.T) *meshflow.InclusionProof {
	return &meshflow.InclusionProof{
		Seq: 5, LeafIndex: 4, TreeSize: 7, Checkpoint: checkpoint,
		Hashes: hashes(t, "1wUQSm2FjYapmOyUi613pgEl7HEZJAxsAvFz+U5agvg=", "sDO+HiLNGal0ssyjPf0NrmSzg437DKhunoxqT7T7e+4=",
			"7IY+29pIhMHOEkv/mgATPwqE/aYTSJcvTwzf6bwZiJc="),
	}
}

// The documented head and proofs hold.
func TestTheDocumentedEvidenceHolds(t *testing.T) {
	v := verifier(t)
	head, err := v.Entry(entryFive, inclusion(t))
	if err != nil || head.Size != 7 || head.Origin != origin || head.Checkpoint != checkpoint {
		t.Fatalf("head %v, error %v", head, err)
	}
	three := &evidence.Head{Size: 3, Root: hashes(t, "4z10XZ413ryb7kLsmT5IKyrHFZBa36psfAyIDD+Jqgg=")[0]}
	growth := &meshflow.ConsistencyProof{First: 3, Second: 7, Hashes: hashes(t, "ycS/r7B0IXR9Gi1Ps5L3D9jbGMZMRcGQTlHZAdGYjJA=",
		"ezKQNPXSfBr8benrGkZvZ2oOqrgC+bKQsgRp5VIXyDY=", "f9CgV6h2d7yZAac1GNQn40Q/eAC4bXBxWtYQbxKuO+8=",
		"zMdIlDuudQickDxIplxHa5/OWD5QTOp1F1kihLwvjfg=")}
	if err := v.Growth(three, head, growth); err != nil {
		t.Error(err)
	}
	growth.Hashes[1][0] ^= 1
	if err := v.Growth(three, head, growth); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a spoilt consistency proof: %v", err)
	}
}

// Whatever is changed in a proof or its head, it does not hold.
func TestSpoiltProofsDoNotHold(t *testing.T) {
	v := verifier(t)
	for name, spoil := range map[string]func(*meshflow.InclusionProof){
		"index":   func(p *meshflow.InclusionProof) { p.LeafIndex = 3 },
		"beyond":  func(p *meshflow.InclusionProof) { p.LeafIndex = -1 },
		"hash":    func(p *meshflow.InclusionProof) { p.Hashes[0][0] ^= 1 },
		"missing": func(p *meshflow.InclusionProof) { p.Hashes = p.GetHashes()[1:] },
		"size":    func(p *meshflow.InclusionProof) { p.Checkpoint = strings.Replace(checkpoint, "\n7\n", "\n8\n", 1) },
		"no head": func(p *meshflow.InclusionProof) { p.Checkpoint = "" },
	} {
		p := inclusion(t)
		spoil(p)
		if _, err := v.Entry(entryFive, p); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Entry(`{"entry":6}`, inclusion(t)); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("another record: %v", err)
	}
}

// A head of another log, or one that no trusted key signed, is not believed.
func TestHeadsOfOthersAreNotBelieved(t *testing.T) {
	other, err := evidence.New("log.example.org/other", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Head(checkpoint); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("another log's head: %v", err)
	}
	stranger, err := evidence.New("example.com/log", "example.com/log+f21ce4c4+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4")
	if err == nil {
		t.Errorf("a key with a wrong id was taken: %v", stranger)
	}
	for _, keys := range [][]string{nil, {"none"}} {
		if _, err := evidence.New(origin, keys...); err == nil {
			t.Errorf("%v were taken for keys", keys)
		}
	}
}

func chain() []*meshflow.LedgerEntry {
	begin := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	return []*meshflow.LedgerEntry{
		{RunId: "run_1", Sequence: 1, Kind: "run_started", Attempt: 1, Time: timestamppb.New(begin),
			PrevHash: strings.Repeat("0", 64), Hash: hash1, Record: record1},
		{RunId: "run_1", Sequence: 2, Kind: "step_committed", NodeId: "node_1", StepId: "step_1", Attempt: 1,
			Time: timestamppb.New(begin.Add(time.Second)), PrevHash: hash1, Hash: hash2, Record: record2},
	}
}

// The documented chain holds, and no field of an entry can be changed.
func TestChainsHoldOrNameTheEntry(t *testing.T) {
	if err := evidence.Chain("run_1", chain()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*meshflow.LedgerEntry){
		"run":      func(e *meshflow.LedgerEntry) { e.RunId = "run_2" },
		"sequence": func(e *meshflow.LedgerEntry) { e.Sequence = 3 },
		"kind":     func(e *meshflow.LedgerEntry) { e.Kind = "step_denied" },
		"node":     func(e *meshflow.LedgerEntry) { e.NodeId = "node_2" },
		"step":     func(e *meshflow.LedgerEntry) { e.StepId = "step_2" },
		"attempt":  func(e *meshflow.LedgerEntry) { e.Attempt = 2 },
		"time":     func(e *meshflow.LedgerEntry) { e.Time.Seconds++ },
		"previous": func(e *meshflow.LedgerEntry) { e.PrevHash = hash2 },
		"hash":     func(e *meshflow.LedgerEntry) { e.Hash = hash1 },
		"record":   func(e *meshflow.LedgerEntry) { e.Record = strings.Replace(e.GetRecord(), "committed", "Committed", 1) },
		"garbage":  func(e *meshflow.LedgerEntry) { e.Record = "{" },
		"trailing": func(e *meshflow.LedgerEntry) { e.Record += "{}" },
	} {
		entries := chain()
		spoil(entries[1])
		if err := evidence.Chain("run_1", entries); !errors.Is(err, evidence.ErrInvalid) || !strings.Contains(err.Error(), "entry 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, entries := range map[string][]*meshflow.LedgerEntry{"none": nil, "second alone": chain()[1:], "twice": append(chain(), chain()[1])} {
		if err := evidence.Chain("run_1", entries); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A real server's run is verified against its signed log, and the log's growth against a head that was kept.
func TestRealEvidence(t *testing.T) {
	address := os.Getenv("MESHFLOW_TEST_ADDRESS")
	if address == "" {
		t.Skip("MESHFLOW_TEST_ADDRESS names no server")
	}
	client, err := meshflow.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx := t.Context()
	first, err := client.Run(ctx, meshflow.Task("first"))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := client.TreeHead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	v, err := evidence.New(shown.GetOrigin(), shown.GetKeys()...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.Run(ctx, meshflow.Task("second"))
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []*meshflow.Run{first, second} {
		report, err := v.VerifyRun(ctx, client, run.GetRunId(), shown.GetCheckpoint())
		if err != nil {
			t.Fatal(err)
		}
		if !report.Ended || len(report.Entries) != int(run.GetLedgerEntries()) || report.Head.Size < uint64(shown.GetSize()) {
			t.Errorf("report: %+v", report)
		}
	}
	grown, err := v.VerifyGrowth(ctx, client, shown.GetCheckpoint())
	if err != nil || grown.Size <= uint64(shown.GetSize()) {
		t.Errorf("growth from %d to %v: %v", shown.GetSize(), grown, err)
	}
	if _, err := v.VerifyGrowth(ctx, client, checkpoint); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a head of another log was believed: %v", err)
	}
	if _, err := verifier(t).VerifyRun(ctx, client, first.GetRunId(), ""); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a key that did not sign was enough: %v", err)
	}
	if _, err := v.VerifyRun(ctx, client, "run_none", ""); meshflow.ReasonOf(err) != meshflow.ReasonRunNotFound {
		t.Errorf("no such run: %v", err)
	}
}
