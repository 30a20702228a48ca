package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// connections is how many requests are under way at once.
const connections = 8

// servedLog is the log under test: where it is served and what is known of it beforehand.
type servedLog struct {
	url      string
	origin   string
	verifier note.Verifier
	policy   torchwood.Policy
	http     *http.Client
}

func newServedLog(o options) (*servedLog, error) {
	verifier, err := note.NewVerifier(o.vkey)
	if err != nil {
		return nil, fmt.Errorf("vkey: %w", err)
	}
	return &servedLog{
		url:      o.url,
		origin:   o.origin,
		verifier: verifier,
		policy: torchwood.ThresholdPolicy(2,
			torchwood.OriginPolicy(o.origin), torchwood.SingleVerifierPolicy(verifier)),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}},
	}, nil
}

// get reads a path of the log, given without its leading slash.
func (l *servedLog) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := l.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("GET /%s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /%s: %s: %s", path, response.Status, body)
	}
	return body, nil
}

// getJSON reads a path of the log into value.
func (l *servedLog) getJSON(ctx context.Context, path string, value any) error {
	body, err := l.get(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, value); err != nil {
		return fmt.Errorf("GET /%s: %w", path, err)
	}
	return nil
}

// head reads the published checkpoint and opens it.
func (l *servedLog) head(ctx context.Context) (tlog.Tree, error) {
	signed, err := l.get(ctx, "checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	return l.open(signed)
}

func (l *servedLog) open(signed []byte) (tlog.Tree, error) {
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, l.policy)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	return checkpoint.Tree, nil
}

// openHeads opens the checkpoints of a file.
func (l *servedLog) openHeads(file string) ([]tlog.Tree, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var notes []string
	if err := json.Unmarshal(text, &notes); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(notes) == 0 {
		return nil, fmt.Errorf("%s: no checkpoints", file)
	}
	heads := make([]tlog.Tree, len(notes))
	for i, signed := range notes {
		if heads[i], err = l.open([]byte(signed)); err != nil {
			return nil, fmt.Errorf("head %d: %w", i, err)
		}
	}
	return heads, nil
}

// entries reads the bundle that begins at entry 256*index of a tree of size entries: its bytes and its entries.
func (l *servedLog) entries(ctx context.Context, index, size int64) ([]byte, [][]byte, error) {
	width := min(torchwood.TileWidth, size-index*torchwood.TileWidth)
	path := torchwood.TilePath(tlog.Tile{H: torchwood.TileHeight, L: -1, N: index, W: int(width)})
	bundle, err := l.get(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	entries := make([][]byte, 0, width)
	for rest := bundle; len(rest) > 0; {
		var entry []byte
		if entry, rest, err = torchwood.ReadTileEntry(rest); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		entries = append(entries, entry)
	}
	if int64(len(entries)) != width {
		return nil, nil, fmt.Errorf("%s: %d entries", path, len(entries))
	}
	return bundle, entries, nil
}
