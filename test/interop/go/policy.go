package main

import (
	"context"
	"fmt"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/tessera"
)

// policyCase is a policy file with checkpoints to judge by it.
type policyCase struct {
	Policy []byte   `json:"policy"`
	Notes  [][]byte `json:"notes"`
}

// policyVerdict is what a library makes of a case: why it does not read the policy, or which notes meet it.
type policyVerdict struct {
	Refused string `json:"refused,omitempty"`
	Met     []bool `json:"met,omitempty"`
}

// judgePolicies has the cases of a file judged by each library that reads policies. torchwood wants the log's line
// too; formats and tessera speak for a log, and look at witnesses alone.
func judgePolicies(_ context.Context, o options) (any, error) {
	var cases []policyCase
	if err := readJSON(o.in, &cases); err != nil {
		return nil, err
	}
	judged := make([]map[string]policyVerdict, len(cases))
	for i, c := range cases {
		judged[i] = map[string]policyVerdict{
			"torchwood": judge(c, func(policy []byte) (func([]byte) bool, error) {
				parsed, err := torchwood.ParsePolicy(policy)
				return func(signed []byte) bool {
					_, _, err := torchwood.VerifyCheckpoint(signed, parsed)
					return err == nil
				}, err
			}),
			"formats": judge(c, func(policy []byte) (func([]byte) bool, error) {
				group, err := witness.ParsePolicy(policy)
				return group.Satisfied, err
			}),
			"tessera": judge(c, func(policy []byte) (func([]byte) bool, error) {
				group, err := tessera.NewWitnessGroupFromPolicy(policy)
				return group.Satisfied, err
			}),
		}
	}
	return judged, nil
}

func judge(c policyCase, parse func([]byte) (func([]byte) bool, error)) (verdict policyVerdict) {
	// torchwood v0.9.0 panics at a line of other white space than spaces and tabs.
	defer func() {
		if flaw := recover(); flaw != nil {
			verdict = policyVerdict{Refused: fmt.Sprint(flaw)}
		}
	}()
	isMet, err := parse(c.Policy)
	if err != nil {
		return policyVerdict{Refused: err.Error()}
	}
	verdict.Met = make([]bool, len(c.Notes))
	for i, signed := range c.Notes {
		verdict.Met[i] = isMet(signed)
	}
	return verdict
}
