package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"
)

// pollEvery is how long a tail waits before it looks for a new checkpoint.
const pollEvery = 50 * time.Millisecond

// tailed is what a tail has seen: SHA-256 is over the entries in order, each framed as in a bundle.
type tailed struct {
	Entries int64  `json:"entries"`
	Heads   int    `json:"heads"`
	SHA256  string `json:"sha256"`
	digest  hash.Hash
}

func (t *tailed) add(index int64, entry []byte) error {
	if index != t.Entries {
		return fmt.Errorf("entry %d after %d entries", index, t.Entries)
	}
	framed, err := torchwood.AppendTileEntry(nil, entry)
	if err != nil {
		return err
	}
	t.digest.Write(framed)
	t.Entries++
	t.SHA256 = fmt.Sprintf("%x", t.digest.Sum(nil))
	return nil
}

// checkTail follows the log while it grows, once with torchwood and once with tessera, until both have seen all entries
// up to a size.
func checkTail(ctx context.Context, o options) (any, error) {
	l, err := newServedLog(o)
	if err != nil {
		return nil, err
	}
	byTorchwood := tailed{digest: sha256.New()}
	byTessera := tailed{digest: sha256.New()}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := tailWithTorchwood(ctx, l, o.until, &byTorchwood); err != nil {
			return fmt.Errorf("torchwood, after %d entries: %w", byTorchwood.Entries, err)
		}
		return nil
	})
	group.Go(func() error {
		if err := tailWithTessera(ctx, l, o.until, &byTessera); err != nil {
			return fmt.Errorf("tessera, after %d entries: %w", byTessera.Entries, err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return map[string]any{"torchwood": byTorchwood, "tessera": byTessera}, nil
}

func tailWithTorchwood(ctx context.Context, l *servedLog, until int64, seen *tailed) error {
	fetcher, err := torchwood.NewTileFetcher(l.url, torchwood.WithConcurrencyLimit(connections))
	if err != nil {
		return err
	}
	follower, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	var tree tlog.Tree
	for seen.Entries < until {
		signed, err := fetcher.ReadEndpoint(ctx, "checkpoint")
		if err != nil {
			return err
		}
		next, err := l.open(signed)
		if err != nil {
			return err
		}
		if next == tree {
			if err := sleep(ctx, pollEvery); err != nil {
				return err
			}
			continue
		}
		if tree.N > 0 {
			proof, err := tlog.ProveTree(next.N, tree.N, torchwood.TileHashReaderWithContext(ctx, next, fetcher))
			if err != nil {
				return err
			}
			if err := tlog.CheckTree(proof, next.N, next.Hash, tree.N, tree.Hash); err != nil {
				return err
			}
		}
		tree = next
		seen.Heads++
		entries := follower.Entries
		if tree.N >= until {
			// Nothing is to come that would fill the last bundle.
			entries = follower.AllEntries
		}
		for index, entry := range entries(ctx, tree, seen.Entries) {
			if err := seen.add(index, entry); err != nil {
				return err
			}
		}
		if err := follower.Err(); err != nil {
			return err
		}
	}
	return nil
}

func tailWithTessera(ctx context.Context, l *servedLog, until int64, seen *tailed) error {
	fetcher, err := newTesseraFetcher(l)
	if err != nil {
		return err
	}
	tracker, err := client.NewLogStateTracker(ctx, fetcher.ReadTile, nil, l.verifier, l.origin,
		client.UnilateralConsensus(fetcher.ReadCheckpoint))
	if err != nil {
		return err
	}
	seen.Heads++
	for seen.Entries < until {
		size := tracker.Latest().Size
		first := uint64(seen.Entries)
		if size > first {
			bundles := client.EntryBundles(ctx, connections,
				func(context.Context) (uint64, error) { return size, nil }, fetcher.ReadEntryBundle, first, size-first)
			for entry, err := range client.Entries(bundles, unbundle) {
				if err != nil {
					return err
				}
				if err := seen.add(int64(entry.Index), entry.Entry); err != nil {
					return err
				}
			}
			continue
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return err
		}
		if _, _, _, err := tracker.Update(ctx); err != nil {
			return err
		}
		if tracker.Latest().Size > size {
			seen.Heads++
		}
	}
	return nil
}

// checkFsck runs tessera's own fsck: it makes every tile from the entries and compares.
func checkFsck(ctx context.Context, o options) (any, error) {
	l, err := newServedLog(o)
	if err != nil {
		return nil, err
	}
	fetcher, err := newTesseraFetcher(l)
	if err != nil {
		return nil, err
	}
	hashLeaves := func(bundle []byte) ([][]byte, error) {
		entries, err := unbundle(bundle)
		if err != nil {
			return nil, err
		}
		hashes := make([][]byte, len(entries))
		for i, entry := range entries {
			hashes[i] = rfc6962.DefaultHasher.HashLeaf(entry)
		}
		return hashes, nil
	}
	check := fsck.New(l.origin, l.verifier, fetcher, hashLeaves, fsck.Opts{N: connections})
	if err := check.Check(ctx); err != nil {
		return nil, err
	}
	status := check.Status()
	for level, ranges := range append([][]fsck.Range{status.EntryRanges}, status.TileRanges...) {
		for _, r := range ranges {
			if r.State != fsck.OK {
				return nil, fmt.Errorf("level %d from %d: %v", level-1, r.First, r.State)
			}
		}
	}
	return map[string]any{"resources": status.ResourcesFetched, "bytes": status.BytesFetched}, nil
}

func newTesseraFetcher(l *servedLog) (*client.HTTPFetcher, error) {
	root, err := url.Parse(l.url + "/")
	if err != nil {
		return nil, err
	}
	return client.NewHTTPFetcher(root, &http.Client{Transport: l.http.Transport})
}

func unbundle(bundle []byte) ([][]byte, error) {
	var parsed api.EntryBundle
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	return parsed.Entries, nil
}

func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(duration):
		return nil
	}
}
