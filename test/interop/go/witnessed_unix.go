//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func init() {
	commands["witnessed"] = growWitnessed
}

// growWitnessed grows tessera's own log in a folder by a few entries at a time. Each of its checkpoints is published
// only when the witnesses of the policy have cosigned it, so the log grows only if they do.
func growWitnessed(ctx context.Context, o options) (any, error) {
	skey, err := os.ReadFile(o.key)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	if err != nil {
		return nil, err
	}
	policy, err := os.ReadFile(o.policy)
	if err != nil {
		return nil, err
	}
	witnesses, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: o.dir})
	if err != nil {
		return nil, err
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(300, 10*time.Millisecond).
		WithCheckpointInterval(100*time.Millisecond).
		WithWitnesses(witnesses, &tessera.WitnessOptions{Timeout: 5 * time.Second}))
	if err != nil {
		return nil, err
	}
	published := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	var heads [][]byte
	for _, count := range []int{1, 2, 300} {
		var last tessera.IndexFuture
		for range count {
			last = appender.Add(ctx, tessera.NewEntry(randomBytes(40)))
		}
		_, checkpoint, err := published.Await(ctx, last)
		if err != nil {
			return nil, err
		}
		if !witnesses.Satisfied(checkpoint) {
			return nil, fmt.Errorf("published without its witnesses:\n%s", checkpoint)
		}
		heads = append(heads, checkpoint)
	}
	if err := shutdown(ctx); err != nil {
		return nil, err
	}
	checkpoint, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	for url := range witnesses.Endpoints() {
		if err := checkMonitored(ctx, url, signer.Name(), checkpoint); err != nil {
			return nil, err
		}
	}
	return map[string]any{"checkpoint": checkpoint, "heads": heads}, nil
}

// checkMonitored asks a witness for what it has cosigned last: the same checkpoint, with the log's line.
func checkMonitored(ctx context.Context, url, origin string, checkpoint []byte) error {
	url = fmt.Sprintf("%s/%x/checkpoint", strings.TrimSuffix(url, "/add-checkpoint"), sha256.Sum256([]byte(origin)))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	monitored, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	// The text and the log's line stand first.
	text, lines, _ := bytes.Cut(checkpoint, []byte("\n\n"))
	first, _, _ := bytes.Cut(lines, []byte("\n"))
	want := fmt.Appendf(nil, "%s\n\n%s\n", text, first)
	if response.StatusCode != http.StatusOK || !bytes.HasPrefix(monitored, want) || len(monitored) == len(want) {
		return fmt.Errorf("GET %s: %s:\n%s", url, response.Status, monitored)
	}
	return nil
}
