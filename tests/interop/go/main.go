// Command interop verifies proofs and signed notes with implementations that are not ours: transparency-dev/merkle
// (RFC 6962) and golang.org/x/mod/sumdb/note (C2SP signed-note). It reads cases as JSON from the file named by its
// argument, prints one line for each that did not end as it says, and then how many were checked.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type inclusionCase struct {
	Index  uint64   `json:"index"`
	Size   uint64   `json:"size"`
	Record []byte   `json:"record"`
	Proof  [][]byte `json:"proof"`
	Root   []byte   `json:"root"`
	Valid  bool     `json:"valid"`
}

type consistencyCase struct {
	OldSize uint64   `json:"old_size"`
	Size    uint64   `json:"size"`
	Proof   [][]byte `json:"proof"`
	OldRoot []byte   `json:"old_root"`
	Root    []byte   `json:"root"`
	Valid   bool     `json:"valid"`
}

type noteCase struct {
	Note  string   `json:"note"`
	Vkeys []string `json:"vkeys"`
	Size  uint64   `json:"size"`
	Root  []byte   `json:"root"`
	Valid bool     `json:"valid"`
}

type cases struct {
	Inclusion   []inclusionCase   `json:"inclusion"`
	Consistency []consistencyCase `json:"consistency"`
	Notes       []noteCase        `json:"notes"`
	SkeyText    string            `json:"skey_text"`
	Skey        string            `json:"skey"`
	SkeyNote    string            `json:"skey_note"`
}

func (c noteCase) verify() error {
	var verifiers []note.Verifier
	for _, vkey := range c.Vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(c.Note), note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	lines := strings.Split(opened.Text, "\n")
	want := []string{strconv.FormatUint(c.Size, 10), base64.StdEncoding.EncodeToString(c.Root)}
	if len(lines) != 4 || lines[1] != want[0] || lines[2] != want[1] {
		return fmt.Errorf("the text is not a checkpoint of size %s and root %s: %q", want[0], want[1], opened.Text)
	}
	return nil
}

// resign signs with our secret key text and returns the note, which must be the one we made.
func (c cases) resign() (string, error) {
	signer, err := note.NewSigner(c.Skey)
	if err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: c.SkeyText}, signer)
	return string(signed), err
}

func run(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var all cases
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	failed := 0
	judge := func(what string, number int, valid bool, err error) {
		if (err == nil) != valid {
			failed++
			fmt.Printf("%s %d: expected valid=%v, got %v\n", what, number, valid, err)
		}
	}
	for i, c := range all.Inclusion {
		leaf := rfc6962.DefaultHasher.HashLeaf(c.Record)
		judge("inclusion", i, c.Valid, proof.VerifyInclusion(rfc6962.DefaultHasher, c.Index, c.Size, leaf, c.Proof, c.Root))
	}
	for i, c := range all.Consistency {
		judge("consistency", i, c.Valid,
			proof.VerifyConsistency(rfc6962.DefaultHasher, c.OldSize, c.Size, c.Proof, c.OldRoot, c.Root))
	}
	for i, c := range all.Notes {
		judge("note", i, c.Valid, c.verify())
	}
	resigned, err := all.resign()
	if err == nil && resigned != all.SkeyNote {
		err = fmt.Errorf("the same key and text give another note: %q", resigned)
	}
	judge("skey", 0, true, err)
	fmt.Printf("checked %d inclusion, %d consistency, %d notes, %d failed\n",
		len(all.Inclusion), len(all.Consistency), len(all.Notes), failed)
	if failed > 0 {
		return fmt.Errorf("%d cases failed", failed)
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: interop CASES.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
