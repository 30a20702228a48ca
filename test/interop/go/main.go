// Command interop checks a served Newel log with code that others wrote: golang.org/x/mod/sumdb, torchwood, and
// transparency-dev's formats, merkle and tessera.
//
//	interop note    -url URL -vkey VKEY -origin ORIGIN
//	interop tiles   -url URL -vkey VKEY -origin ORIGIN -heads FILE
//	interop proofs  -url URL -vkey VKEY -origin ORIGIN -heads FILE
//	interop fsck    -url URL -vkey VKEY -origin ORIGIN
//	interop tail    -url URL -vkey VKEY -origin ORIGIN -until SIZE
//	interop make
//
//	interop cosigned    -in FILE
//	interop cosign
//	interop policies    -in FILE
//	interop litewitness -program PROGRAM -dir DIR -vkey VKEY -origin ORIGIN
//	interop witnessed   -key FILE -policy FILE -dir DIR
//
// A check that holds ends with one line of JSON on standard output; one that does not, with a sentence on standard error
// and exit code 1. The file of -heads holds checkpoints that the log published earlier, as a JSON array of strings. make
// and cosign read nothing: they print what Go signs for Newel's own parsers. cosigned and policies check and judge the
// checkpoints of a file. litewitness runs that program, until its input ends, as a witness of the log. witnessed grows
// a log of tessera that publishes nothing without its witnesses; it needs a Unix.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// options are the flags of all commands.
type options struct {
	url, vkey, origin string
	heads, in         string
	key, policy       string
	program, dir      string
	until             int64
	timeout           time.Duration
}

var commands = map[string]func(context.Context, options) (any, error){
	"note":   checkNote,
	"tiles":  checkTiles,
	"proofs": checkProofs,
	"fsck":   checkFsck,
	"tail":   checkTail,
	"make":   makeArtefacts,

	"cosigned":    checkCosigned,
	"cosign":      makeCosignatures,
	"policies":    judgePolicies,
	"litewitness": runLitewitness,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		names := slices.Sorted(maps.Keys(commands))
		fmt.Fprintf(os.Stderr, "usage: interop %s [flags]\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.url, "url", "", "URL prefix of the log, without a slash at its end")
	flags.StringVar(&o.vkey, "vkey", "", "verifier key of the log")
	flags.StringVar(&o.origin, "origin", "", "origin of the log")
	flags.StringVar(&o.heads, "heads", "", "file of checkpoints that were published earlier")
	flags.StringVar(&o.in, "in", "", "file of checkpoints to check")
	flags.StringVar(&o.key, "key", "", "file of the log's signer key")
	flags.StringVar(&o.policy, "policy", "", "file of the log's policy")
	flags.StringVar(&o.program, "program", "", "the program to run")
	flags.StringVar(&o.dir, "dir", "", "folder to write to")
	flags.Int64Var(&o.until, "until", 0, "size at which tail ends")
	flags.DurationVar(&o.timeout, "timeout", 4*time.Minute, "time that the whole check may take")
	flags.Parse(os.Args[2:])

	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	report, err := commands[os.Args[1]](ctx, o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(report)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "interop %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
