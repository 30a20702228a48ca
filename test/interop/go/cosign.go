package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"filippo.io/mldsa"
	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// cosigned is a checkpoint with its keys, and subtrees that some of the keys signed. Bytes are in base64.
type cosigned struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   []byte `json:"root"`
	// Extensions are further lines of text.
	Extensions string `json:"extensions"`
	Note       []byte `json:"note"`
	// Log is the key of type 0x01 that is named as the origin.
	Log string `json:"log"`
	// Cosigners have keys of type 0x04 or 0x06. Each signed the checkpoint, and there are no other lines.
	Cosigners []cosigner      `json:"cosigners"`
	Subtrees  []signedSubtree `json:"subtrees"`
}

type cosigner struct {
	Vkey string `json:"vkey"`
	// Time is the one of its line, in Unix seconds; 0 where it is not known beforehand.
	Time int64 `json:"time"`
}

type signedSubtree struct {
	Vkey  string `json:"vkey"`
	Start uint64 `json:"start"`
	End   uint64 `json:"end"`
	Hash  []byte `json:"hash"`
	// Signature is a timestamped_signature of time 0.
	Signature []byte `json:"signature"`
}

// checkCosigned opens the checkpoint of a file with sumdb/note, formats and torchwood, with all keys and with each of
// them alone, sees every changed byte of it refused, and verifies the subtrees.
func checkCosigned(_ context.Context, o options) (any, error) {
	var in cosigned
	if err := readJSON(o.in, &in); err != nil {
		return nil, err
	}
	logVerifier, err := note.NewVerifier(in.Log)
	if err != nil {
		return nil, fmt.Errorf("log vkey: %w", err)
	}
	known := []note.Verifier{logVerifier}
	for _, c := range in.Cosigners {
		verifiers, err := cosignatureVerifiers(c.Vkey)
		if err != nil {
			return nil, err
		}
		for _, v := range verifiers {
			if err := checkLine(in.Note, v, c.Time); err != nil {
				return nil, fmt.Errorf("%s: %T: %w", v.Name(), v, err)
			}
		}
		known = append(known, verifiers[0])
	}
	parsed, rest, opened, err := log.ParseCheckpoint(in.Note, in.Origin, logVerifier, known[1:]...)
	if err != nil {
		return nil, fmt.Errorf("formats: %w", err)
	}
	if parsed.Size != in.Size || !bytes.Equal(parsed.Hash, in.Root) || string(rest) != in.Extensions {
		return nil, fmt.Errorf("formats reads size %d, root %x, rest %q", parsed.Size, parsed.Hash, rest)
	}
	if len(opened.Sigs) != len(known) || len(opened.UnverifiedSigs) != 0 {
		return nil, fmt.Errorf("%d verified and %d other lines", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	if err := checkTampered(in.Note, known); err != nil {
		return nil, err
	}
	for _, subtree := range in.Subtrees {
		if err := checkSubtree(in.Origin, subtree); err != nil {
			return nil, fmt.Errorf("subtree [%d, %d): %w", subtree.Start, subtree.End, err)
		}
	}
	return map[string]any{"lines": len(known), "tampered": len(in.Note), "subtrees": len(in.Subtrees)}, nil
}

// cosignatureVerifiers makes of a key what each library makes of it.
func cosignatureVerifiers(vkey string) ([]note.Verifier, error) {
	general, err := cosignature.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return nil, fmt.Errorf("formats: %w", err)
	}
	if ed25519, err := torchwood.NewCosignatureVerifier(vkey); err == nil {
		return []note.Verifier{general, ed25519}, nil
	}
	subtrees, err := cosignature.NewMLDSAVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("neither torchwood nor formats knows the type of the key: %w", err)
	}
	return []note.Verifier{general, subtrees}, nil
}

// checkLine opens the note with one key alone.
func checkLine(signed []byte, v note.Verifier, seconds int64) error {
	opened, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 1 {
		return fmt.Errorf("%d lines", len(opened.Sigs))
	}
	byFormats, err := cosignature.CoSigV1Timestamp(opened.Sigs[0])
	if err != nil {
		return err
	}
	byTorchwood, err := torchwood.CosignatureTimestamp(opened.Sigs[0])
	if err != nil {
		return err
	}
	if byFormats.Unix() != byTorchwood || seconds != 0 && seconds != byTorchwood {
		return fmt.Errorf("time %d and %d, not %d", byFormats.Unix(), byTorchwood, seconds)
	}
	return nil
}

// checkTampered changes each byte of the note: never do all of its lines verify.
func checkTampered(signed []byte, known []note.Verifier) error {
	known = slices.Clone(known)
	for i, v := range known {
		known[i] = &remembering{v, map[string]bool{}}
	}
	// Of a signature's last character up to four bits mean nothing to this decoder. Bit 4 means something everywhere.
	for i := range signed {
		tampered := bytes.Clone(signed)
		tampered[i] ^= 1 << 4
		opened, err := note.Open(tampered, note.VerifierList(known...))
		if err == nil && len(opened.Sigs) == len(known) {
			return fmt.Errorf("all %d lines verify with byte %d changed", len(known), i)
		}
	}
	return nil
}

// remembering verifies each signature once.
type remembering struct {
	note.Verifier
	verified map[string]bool
}

func (r *remembering) Verify(message, signature []byte) bool {
	key := string(message) + "\n" + string(signature)
	verified, known := r.verified[key]
	if !known {
		verified = r.Verifier.Verify(message, signature)
		r.verified[key] = verified
	}
	return verified
}

func checkSubtree(origin string, s signedSubtree) error {
	v, err := cosignature.NewMLDSAVerifier(s.Vkey)
	if err != nil {
		return err
	}
	if !v.VerifySubtree(0, origin, s.Start, s.End, s.Hash, s.Signature) {
		return errors.New("not verified")
	}
	if v.VerifySubtree(0, origin, s.Start, s.End+1, s.Hash, s.Signature) ||
		v.VerifySubtree(0, origin+"/", s.Start, s.End, s.Hash, s.Signature) {
		return errors.New("verified as another subtree")
	}
	return nil
}

// madeCosignatures are what makeCosignatures prints.
type madeCosignatures struct {
	cosigned
	Deterministic []deterministic `json:"deterministic"`
}

// deterministic is an ML-DSA-44 signature of an empty context that has no randomness in it.
type deterministic struct {
	Seed      []byte `json:"seed"`
	PublicKey []byte `json:"publicKey"`
	Message   []byte `json:"message"`
	Signature []byte `json:"signature"`
}

// makeCosignatures signs a checkpoint as a log of two keys and three cosigners, subtrees, and messages of many lengths.
func makeCosignatures(context.Context, options) (any, error) {
	made := madeCosignatures{cosigned: cosigned{Origin: "go.example/log", Size: 8, Root: randomBytes(32)}}
	logSkey, logVkey, err := note.GenerateKey(rand.Reader, made.Origin)
	if err != nil {
		return nil, err
	}
	made.Log = logVkey
	logSigner, err := note.NewSigner(logSkey)
	if err != nil {
		return nil, err
	}
	logMldsa, logMldsaVkey, err := mldsaSigner(made.Origin)
	if err != nil {
		return nil, err
	}
	witnessMldsa, witnessMldsaVkey, err := mldsaSigner("witness.example/ml-dsa")
	if err != nil {
		return nil, err
	}
	witnessSkey, witnessVkey, err := note.GenerateKey(rand.Reader, "witness.example/formats")
	if err != nil {
		return nil, err
	}
	witness, err := cosignature.NewSignerForCosignatureV1(witnessSkey)
	if err != nil {
		return nil, err
	}
	if witnessVkey, err = cosignature.VKeyToCosignatureV1(witnessVkey); err != nil {
		return nil, err
	}
	torchwoodWitness, err := torchwood.NewCosignatureSigner("witness.example/torchwood",
		ed25519.NewKeyFromSeed(randomBytes(ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}

	head := log.Checkpoint{Origin: made.Origin, Size: made.Size, Hash: made.Root}
	made.Note, err = note.Sign(&note.Note{Text: string(head.Marshal())},
		logSigner, logMldsa, witness, witnessMldsa, torchwoodWitness)
	if err != nil {
		return nil, err
	}
	for _, vkey := range []string{logMldsaVkey, witnessVkey, witnessMldsaVkey, torchwoodWitness.Verifier().String()} {
		made.Cosigners = append(made.Cosigners, cosigner{Vkey: vkey})
	}
	for _, bounds := range [][2]uint64{{0, 1}, {0, 8}, {4, 8}, {8, 13}, {1 << 40, 1<<40 + 1<<30}} {
		subtree := signedSubtree{Vkey: witnessMldsaVkey, Start: bounds[0], End: bounds[1], Hash: randomBytes(32)}
		subtree.Signature, err = witnessMldsa.SignSubtree(0, made.Origin, subtree.Start, subtree.End, subtree.Hash)
		if err != nil {
			return nil, err
		}
		made.Subtrees = append(made.Subtrees, subtree)
	}

	for length := range 12 {
		seed := randomBytes(mldsa.PrivateKeySize)
		key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
		if err != nil {
			return nil, err
		}
		message := randomBytes(length * length)
		signature, err := key.SignDeterministic(message, nil)
		if err != nil {
			return nil, err
		}
		made.Deterministic = append(made.Deterministic, deterministic{seed, key.PublicKey().Bytes(), message, signature})
	}
	return made, nil
}

func mldsaSigner(name string) (*cosignature.SubtreeSigner, string, error) {
	skey, vkey, err := cosignature.GenerateMLDSAKey(name)
	if err != nil {
		return nil, "", err
	}
	signer, err := cosignature.NewMLDSASigner(skey)
	return signer, vkey, err
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// readJSON reads a file into value.
func readJSON(file string, value any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
