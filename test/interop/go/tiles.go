package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"
)

// tileReader reads tiles over HTTP, by the paths of tlog-tiles, and keeps those that sumdb/tlog has authenticated.
type tileReader struct {
	ctx context.Context
	log *servedLog

	mu   sync.Mutex
	kept map[tlog.Tile][]byte
}

func newTileReader(ctx context.Context, l *servedLog) *tileReader {
	return &tileReader{ctx: ctx, log: l, kept: make(map[tlog.Tile][]byte)}
}

func (r *tileReader) Height() int { return torchwood.TileHeight }

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		r.mu.Lock()
		data[i] = r.kept[tile]
		r.mu.Unlock()
		if data[i] != nil {
			continue
		}
		var err error
		if data[i], err = r.log.get(r.ctx, torchwood.TilePath(tile)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (r *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, tile := range tiles {
		r.kept[tile] = data[i]
	}
}

// checkTiles proves every leaf of the published tree with sumdb/tlog from tiles and bundles alone, and that tree to be
// an extension of every earlier head. The same trees are made from the entries, without the log's tiles.
func checkTiles(ctx context.Context, o options) (any, error) {
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
	tiles := newTileReader(ctx, l)
	bundles, proved, err := proveLeaves(ctx, l, tree, tlog.TileHashReader(tree, tiles))
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	for _, bundle := range bundles {
		digest.Write(bundle)
	}
	own, err := storedHashes(bundles)
	if err != nil {
		return nil, err
	}
	if root, err := tlog.TreeHash(tree.N, own); err != nil || root != tree.Hash {
		return nil, fmt.Errorf("the entries hash to %v (%v), the checkpoint says %v", root, err, tree.Hash)
	}
	if err := proveHeads(tiles, heads, tree, own); err != nil {
		return nil, err
	}
	if err := refuseDamage(ctx, l, tree); err != nil {
		return nil, err
	}
	return map[string]any{
		"size": tree.N, "proved": proved, "heads": len(heads), "sha256": fmt.Sprintf("%x", digest.Sum(nil)),
	}, nil
}

// proveLeaves proves and checks every leaf, and returns the bundles and how many leaves were in them.
func proveLeaves(ctx context.Context, l *servedLog, tree tlog.Tree, hashes tlog.HashReader) ([][]byte, int64, error) {
	var proved atomic.Int64
	bundles := make([][]byte, (tree.N+torchwood.TileWidth-1)/torchwood.TileWidth)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for b := range bundles {
		group.Go(func() error {
			bundle, entries, err := l.entries(ctx, int64(b), tree.N)
			if err != nil {
				return err
			}
			bundles[b] = bundle
			for i, entry := range entries {
				index := int64(b)*torchwood.TileWidth + int64(i)
				proof, err := tlog.ProveRecord(tree.N, index, hashes)
				if err != nil {
					return fmt.Errorf("prove leaf %d: %w", index, err)
				}
				if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
					return fmt.Errorf("check leaf %d: %w", index, err)
				}
				proved.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return bundles, proved.Load(), err
}

// storedHashes computes all hashes of the tree over the entries of the bundles.
func storedHashes(bundles [][]byte) (tlog.HashReader, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	var n int64
	for _, bundle := range bundles {
		for len(bundle) > 0 {
			entry, rest, err := torchwood.ReadTileEntry(bundle)
			if err != nil {
				return nil, err
			}
			hashes, err := tlog.StoredHashes(n, entry, reader)
			if err != nil {
				return nil, err
			}
			stored = append(stored, hashes...)
			bundle = rest
			n++
		}
	}
	return reader, nil
}

// proveHeads checks each earlier head against the entries, its right edge as it is served today, and its consistency
// with the published tree and with the head before; and trees of sizes where tiles begin and end likewise.
func proveHeads(tiles *tileReader, heads []tlog.Tree, tree tlog.Tree, own tlog.HashReader) error {
	for _, size := range []int64{1, 2, 255, 256, 257, 511, 513, 65535, 65536, 65537, tree.N - 1, tree.N} {
		if size > tree.N {
			continue
		}
		root, err := tlog.TreeHash(size, own)
		if err != nil {
			return err
		}
		heads = append(heads, tlog.Tree{N: size, Hash: root})
	}
	var previous tlog.Tree
	for _, head := range heads {
		if head.N == 0 {
			continue
		}
		if root, err := tlog.TreeHash(head.N, own); err != nil || root != head.Hash {
			return fmt.Errorf("the first %d entries hash to %v (%v), the head says %v", head.N, root, err, head.Hash)
		}
		if root, err := tlog.TreeHash(head.N, tlog.TileHashReader(head, tiles)); err != nil || root != head.Hash {
			return fmt.Errorf("the tiles of size %d hash to %v (%v), the head says %v", head.N, root, err, head.Hash)
		}
		if err := proveConsistency(tiles, head, tree); err != nil {
			return err
		}
		if previous.N > 0 && previous.N <= head.N {
			if err := proveConsistency(tiles, previous, head); err != nil {
				return err
			}
		}
		previous = head
	}
	return nil
}

func proveConsistency(tiles *tileReader, older, newer tlog.Tree) error {
	proof, err := tlog.ProveTree(newer.N, older.N, tlog.TileHashReader(newer, tiles))
	if err != nil {
		return fmt.Errorf("prove %d in %d: %w", older.N, newer.N, err)
	}
	if err := tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash); err != nil {
		return fmt.Errorf("check %d in %d: %w", older.N, newer.N, err)
	}
	return nil
}

// damagedTiles changes one byte of tile 0 of level 0: of the hash of leaf 1.
type damagedTiles struct{ *tileReader }

func (r damagedTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data, err := r.tileReader.ReadTiles(tiles)
	for i, tile := range tiles {
		if err == nil && tile.L == 0 && tile.N == 0 {
			data[i][tlog.HashSize] ^= 1
		}
	}
	return data, err
}

// refuseDamage sees that one changed byte of one tile is noticed.
func refuseDamage(ctx context.Context, l *servedLog, tree tlog.Tree) error {
	damaged := damagedTiles{newTileReader(ctx, l)}
	if _, err := tlog.ProveRecord(tree.N, 0, tlog.TileHashReader(tree, damaged)); err == nil {
		return errors.New("leaf 0 is proved from a damaged tile")
	}
	return nil
}
