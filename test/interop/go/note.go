package main

import (
	"bytes"
	"context"
	"fmt"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// checkNote opens the checkpoint with sumdb/note, formats and torchwood, the last under the log's own policy file, and
// sees every changed byte of it refused.
func checkNote(ctx context.Context, o options) (any, error) {
	l, err := newServedLog(o)
	if err != nil {
		return nil, err
	}
	signed, err := l.get(ctx, "checkpoint")
	if err != nil {
		return nil, err
	}
	opened, err := note.Open(signed, note.VerifierList(l.verifier))
	if err != nil {
		return nil, fmt.Errorf("note.Open: %w", err)
	}
	if len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 0 {
		return nil, fmt.Errorf("%d verified and %d other lines", len(opened.Sigs), len(opened.UnverifiedSigs))
	}

	parsed, other, _, err := log.ParseCheckpoint(signed, l.origin, l.verifier)
	if err != nil {
		return nil, fmt.Errorf("formats: %w", err)
	}
	if len(other) != 0 || !bytes.Equal(parsed.Marshal(), []byte(opened.Text)) {
		return nil, fmt.Errorf("formats does not give back the text %q", opened.Text)
	}

	var trust struct {
		Policy string `json:"policy"`
	}
	if err := l.getJSON(ctx, "v1/log", &trust); err != nil {
		return nil, err
	}
	policy, err := torchwood.ParsePolicy([]byte(trust.Policy))
	if err != nil {
		return nil, fmt.Errorf("torchwood reads the policy: %w", err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(signed, policy); err != nil {
		return nil, fmt.Errorf("torchwood: %w", err)
	}

	// Of a signature's last character two bits mean nothing to this decoder; bit 2 means something everywhere.
	for i := range signed {
		tampered := bytes.Clone(signed)
		tampered[i] ^= 1 << 2
		if _, err := note.Open(tampered, note.VerifierList(l.verifier)); err == nil {
			return nil, fmt.Errorf("note.Open takes the checkpoint with byte %d changed", i)
		}
	}
	return map[string]any{"size": parsed.Size, "tampered": len(signed)}, nil
}
