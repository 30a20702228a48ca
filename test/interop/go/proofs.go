package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"
)

// randomProofs is how many leaves are asked for beside those where tiles and bundles begin and end.
const randomProofs = 500

// checkProofs reads the proofs that the log makes itself: the tlog-proof of leaves, and consistency between heads.
func checkProofs(ctx context.Context, o options) (any, error) {
	l, err := newServedLog(o)
	if err != nil {
		return nil, err
	}
	heads, err := l.openHeads(o.heads)
	if err != nil {
		return nil, err
	}
	tree, err := l.head(ctx)
	if err != nil {
		return nil, err
	}
	indexes := []int64{0, 1, 254, 255, 256, 257, 65535, 65536, tree.N - 2, tree.N - 1}
	for range randomProofs {
		indexes = append(indexes, rand.Int64N(tree.N))
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for _, index := range indexes {
		if index < 0 || index >= tree.N {
			return nil, fmt.Errorf("a tree of %d leaves is too small for this check", tree.N)
		}
		group.Go(func() error { return checkInclusion(groupCtx, l, index, tree.N) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	pairs, err := checkConsistency(ctx, l, append(heads, tree))
	if err != nil {
		return nil, err
	}
	return map[string]any{"size": tree.N, "inclusion": len(indexes), "consistency": pairs}, nil
}

// checkInclusion parses the tlog-proof of a leaf with formats, verifies it with merkle and again with torchwood, and
// sees it refused for another leaf and with a hash changed.
func checkInclusion(ctx context.Context, l *servedLog, index, size int64) error {
	text, err := l.get(ctx, fmt.Sprintf("v1/leaves/%d/proof", index))
	if err != nil {
		return err
	}
	var parsed tlogproof.TLogProof
	if err := parsed.Unmarshal(text); err != nil {
		return fmt.Errorf("proof of leaf %d: %w", index, err)
	}
	if !bytes.Equal(parsed.Marshal(), text) {
		return fmt.Errorf("proof of leaf %d: formats does not give back its bytes", index)
	}
	if parsed.Index != uint64(index) || parsed.ExtraData != nil {
		return fmt.Errorf("proof of leaf %d: index %d, extra %q", index, parsed.Index, parsed.ExtraData)
	}
	head, _, _, err := log.ParseCheckpoint(parsed.Checkpoint, l.origin, l.verifier)
	if err != nil {
		return fmt.Errorf("proof of leaf %d: %w", index, err)
	}
	if head.Size <= uint64(index) || head.Size > uint64(size) {
		return fmt.Errorf("proof of leaf %d: a tree of %d leaves", index, head.Size)
	}
	_, entries, err := l.entries(ctx, index/torchwood.TileWidth, size)
	if err != nil {
		return err
	}
	entry := entries[index%torchwood.TileWidth]
	path := make([][]byte, len(parsed.Hashes))
	for i, hash := range parsed.Hashes {
		path[i] = bytes.Clone(hash[:])
	}
	verify := func(entry []byte) error {
		leaf := rfc6962.DefaultHasher.HashLeaf(entry)
		return proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), head.Size, leaf, path, head.Hash)
	}
	if err := verify(entry); err != nil {
		return fmt.Errorf("merkle, leaf %d of %d: %w", index, head.Size, err)
	}
	if err := torchwood.VerifyProof(l.policy, tlog.RecordHash(entry), text); err != nil {
		return fmt.Errorf("torchwood, leaf %d of %d: %w", index, head.Size, err)
	}

	other := append(bytes.Clone(entry), 0)
	if verify(other) == nil || torchwood.VerifyProof(l.policy, tlog.RecordHash(other), text) == nil {
		return fmt.Errorf("the proof of leaf %d verifies for another entry", index)
	}
	if len(path) == 0 {
		return nil
	}
	path[rand.IntN(len(path))][rand.IntN(tlog.HashSize)] ^= 1
	if verify(entry) == nil {
		return fmt.Errorf("the proof of leaf %d verifies with a hash changed", index)
	}
	return nil
}

// checkConsistency verifies with merkle the log's consistency proofs between each head and the next, and the last.
func checkConsistency(ctx context.Context, l *servedLog, heads []tlog.Tree) (int, error) {
	last := heads[len(heads)-1]
	pairs := 0
	for i, older := range heads[:len(heads)-1] {
		for _, newer := range []tlog.Tree{heads[i+1], last} {
			if older.N == 0 || older.N > newer.N {
				continue
			}
			var answer struct {
				Consistency [][]byte `json:"consistency"`
			}
			path := fmt.Sprintf("v1/proofs/consistency?first=%d&second=%d", older.N, newer.N)
			if err := l.getJSON(ctx, path, &answer); err != nil {
				return 0, err
			}
			err := proof.VerifyConsistency(rfc6962.DefaultHasher,
				uint64(older.N), uint64(newer.N), answer.Consistency, older.Hash[:], newer.Hash[:])
			if err != nil {
				return 0, fmt.Errorf("%s: %w", path, err)
			}
			pairs++
		}
	}
	if pairs == 0 {
		return 0, errors.New("no two heads to compare")
	}
	return pairs, nil
}
