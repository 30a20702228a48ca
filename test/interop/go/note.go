package main

import (
	"bytes"
	"context"
	"fmt"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// checkNote opens the checkpoint with sumdb/note, formats and torchwood, the last under the log's own policy file: by the
// key that is known, and by all keys that the log says it has. It sees every changed byte refused.
func checkNote(ctx context.Context, o options) (any, error) {
	l, err := newServedLog(o)
	if err != nil {
		return nil, err
	}
	signed, err := l.get(ctx, "checkpoint")
	if err != nil {
		return nil, err
	}
	var trust struct {
		Vkeys  []string `json:"vkeys"`
		Policy string   `json:"policy"`
	}
	if err := l.getJSON(ctx, "v1/log", &trust); err != nil {
		return nil, err
	}
	if len(trust.Vkeys) == 0 || trust.Vkeys[0] != o.vkey {
		return nil, fmt.Errorf("the first of %d keys is not the one that is known", len(trust.Vkeys))
	}
	known := []note.Verifier{l.verifier}
	for _, vkey := range trust.Vkeys[1:] {
		v, err := cosignature.NewMLDSAVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("vkey: %w", err)
		}
		if v.Name() != l.origin {
			return nil, fmt.Errorf("vkey: named %q", v.Name())
		}
		known = append(known, v)
	}
	opened, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return nil, fmt.Errorf("note.Open: %w", err)
	}
	if len(opened.Sigs) != len(known) || len(opened.UnverifiedSigs) != 0 {
		return nil, fmt.Errorf("%d verified and %d other lines", len(opened.Sigs), len(opened.UnverifiedSigs))
	}

	parsed, other, _, err := log.ParseCheckpoint(signed, l.origin, l.verifier)
	if err != nil {
		return nil, fmt.Errorf("formats: %w", err)
	}
	if len(other) != 0 || !bytes.Equal(parsed.Marshal(), []byte(opened.Text)) {
		return nil, fmt.Errorf("formats does not give back the text %q", opened.Text)
	}

	policy, err := torchwood.ParsePolicy([]byte(trust.Policy))
	if err != nil {
		return nil, fmt.Errorf("torchwood reads the policy: %w", err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(signed, policy); err != nil {
		return nil, fmt.Errorf("torchwood: %w", err)
	}

	if err := checkTampered(signed, known); err != nil {
		return nil, err
	}
	return map[string]any{"size": parsed.Size, "lines": len(known), "tampered": len(signed)}, nil
}
