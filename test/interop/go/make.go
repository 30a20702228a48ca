package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// artefacts are what makeArtefacts prints; bytes are in base64.
type artefacts struct {
	Origin string `json:"origin"`
	Skey   string `json:"skey"`
	Vkey   string `json:"vkey"`
	// Note is signed by the key and by another one.
	Text  string     `json:"text"`
	Note  []byte     `json:"note"`
	Trees []madeTree `json:"trees"`
}

// madeTree is a tree of the first Size of all entries, the last one being of the largest tree.
type madeTree struct {
	Size int64     `json:"size"`
	Root tlog.Hash `json:"root"`
	// Checkpoint is cosigned by a witness that nobody knows.
	Checkpoint []byte `json:"checkpoint"`
	// Consistency is the proof from the tree before.
	Consistency tlog.TreeProof `json:"consistency"`
	Proofs      []madeProof    `json:"proofs"`
}

// madeProof is one tlog-proof as two libraries write it.
type madeProof struct {
	Index   int64  `json:"index"`
	Entry   []byte `json:"entry"`
	Formats []byte `json:"formats"`
	// Torchwood has extra data where formats has none.
	Torchwood []byte `json:"torchwood"`
	Extra     []byte `json:"extra"`
}

// makeArtefacts makes keys, a note, checkpoints and proofs of trees of several sizes.
func makeArtefacts(context.Context, options) (any, error) {
	made := artefacts{Origin: "go.example/log", Text: "A note made elsewhere.\n\nIts text has a blank line, and ünïcode.\n"}
	var err error
	if made.Skey, made.Vkey, err = note.GenerateKey(rand.Reader, made.Origin); err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(made.Skey)
	if err != nil {
		return nil, err
	}
	otherSkey, _, err := note.GenerateKey(rand.Reader, "other.example")
	if err != nil {
		return nil, err
	}
	other, err := note.NewSigner(otherSkey)
	if err != nil {
		return nil, err
	}
	_, witnessKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	witness, err := torchwood.NewCosignatureSigner("witness.example", witnessKey)
	if err != nil {
		return nil, err
	}
	if made.Note, err = note.Sign(&note.Note{Text: made.Text}, signer, other); err != nil {
		return nil, err
	}

	entry := func(index int64) []byte { return fmt.Appendf(nil, "made elsewhere, entry %d", index) }
	var bundle []byte
	sizes := []int64{1, 2, 3, 7, 8, 255, 256, 257, 1000}
	for i := range sizes[len(sizes)-1] {
		if bundle, err = torchwood.AppendTileEntry(bundle, entry(i)); err != nil {
			return nil, err
		}
	}
	hashes, err := storedHashes([][]byte{bundle})
	if err != nil {
		return nil, err
	}
	var before int64
	for _, size := range sizes {
		tree := madeTree{Size: size}
		if tree.Root, err = tlog.TreeHash(size, hashes); err != nil {
			return nil, err
		}
		head := log.Checkpoint{Origin: made.Origin, Size: uint64(size), Hash: tree.Root[:]}
		if tree.Checkpoint, err = note.Sign(&note.Note{Text: string(head.Marshal())}, signer, witness); err != nil {
			return nil, err
		}
		if before > 0 {
			if tree.Consistency, err = tlog.ProveTree(size, before, hashes); err != nil {
				return nil, err
			}
		}
		for index := range size {
			if size > 8 && index%83 != 0 && index != size-1 {
				continue
			}
			path, err := tlog.ProveRecord(size, index, hashes)
			if err != nil {
				return nil, err
			}
			proof := madeProof{Index: index, Entry: entry(index), Extra: fmt.Appendf(nil, "extra %d", index)}
			formatted := tlogproof.TLogProof{Index: uint64(index), Checkpoint: tree.Checkpoint}
			for _, hash := range path {
				formatted.Hashes = append(formatted.Hashes, hash)
			}
			proof.Formats = formatted.Marshal()
			proof.Torchwood = torchwood.FormatProofWithExtraData(index, proof.Extra, path, tree.Checkpoint)
			tree.Proofs = append(tree.Proofs, proof)
		}
		made.Trees = append(made.Trees, tree)
		before = size
	}
	return made, nil
}
