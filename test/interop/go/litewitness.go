package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const witnessName = "litewitness.example/w1"

// witnessSeed makes the witness's key the same at every start.
var witnessSeed = sha256.Sum256([]byte("the key of litewitness in tests"))

// runningWitness is what runLitewitness prints once the witness answers.
type runningWitness struct {
	URL  string `json:"url"`
	Vkey string `json:"vkey"`
}

// runLitewitness runs torchwood's litewitness on a free loopback port, with a folder for its database and an ssh-agent
// of its own for its key, and has it know the log. It prints where the witness is, keeps it until standard input ends,
// and reports the size of the log that its database then has.
func runLitewitness(ctx context.Context, o options) (any, error) {
	key := ed25519.NewKeyFromSeed(witnessSeed[:])
	socket := filepath.Join(o.dir, "agent")
	closeAgent, err := serveAgent(socket, key)
	if err != nil {
		return nil, fmt.Errorf("ssh-agent: %w", err)
	}
	defer closeAgent()
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	signer, err := torchwood.NewCosignatureSigner(witnessName, key)
	if err != nil {
		return nil, err
	}
	db := filepath.Join(o.dir, "litewitness.db")
	args := []string{"-name", witnessName, "-db", db, "-ssh-agent", socket, "-key", ssh.FingerprintSHA256(public)}

	url, stop, err := startWitness(ctx, o.program, args)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := addLog(db, o.origin, o.vkey); err != nil {
		return nil, fmt.Errorf("%s: %w", db, err)
	}
	running := runningWitness{URL: url, Vkey: signer.Verifier().String()}
	if err := json.NewEncoder(os.Stdout).Encode(running); err != nil {
		return nil, err
	}
	if err := untilInputEnds(ctx); err != nil {
		return nil, err
	}
	if err := stop(); err != nil {
		return nil, err
	}
	size, err := sizeOf(db, o.origin)
	return map[string]any{"size": size}, err
}

// serveAgent answers on a Unix socket as an ssh-agent that holds the key.
func serveAgent(socket string, key ed25519.PrivateKey) (func() error, error) {
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keyring, connection)
		}
	}()
	return listener.Close, nil
}

// startWitness starts the program and waits until it answers. The port is free when it is chosen; where somebody else
// takes it first, another is tried.
func startWitness(ctx context.Context, program string, args []string) (url string, stop func() error, err error) {
	for range 5 {
		var address string
		if address, err = freeAddress(); err != nil {
			return "", nil, err
		}
		command := exec.Command(program, append(args, "-listen", address)...)
		command.Stderr = os.Stderr
		if err = command.Start(); err != nil {
			return "", nil, err
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		stop = func() error { return stopProcess(command.Process, ended) }
		url = "http://" + address
		if err = untilAnswered(ctx, url, ended); err == nil {
			return url, stop, nil
		}
		stop()
	}
	return "", nil, fmt.Errorf("litewitness does not start: %w", err)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func untilAnswered(ctx context.Context, url string, ended chan error) error {
	for {
		response, err := http.Get(url)
		if err == nil {
			io.Copy(io.Discard, response.Body)
			return response.Body.Close()
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it has ended: %v", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopProcess ends a process and waits for it. Safe to call again.
func stopProcess(process *os.Process, ended chan error) error {
	signal := os.Interrupt
	if runtime.GOOS == "windows" {
		signal = os.Kill
	}
	process.Signal(signal) // fails where it has ended
	select {
	case err := <-ended:
		ended <- err
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("it does not end"), process.Kill())
	}
}

func untilInputEnds(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// addLog does what witnessctl's add-log and add-key do; that program is of modules that are not needed otherwise.
func addLog(db, origin, vkey string) error {
	empty := sha256.Sum256(nil)
	hash := base64.StdEncoding.EncodeToString(empty[:])
	return withDatabase(db, func(conn *sqlite.Conn) error {
		insert := func(query string, args ...any) error {
			return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args})
		}
		return errors.Join(
			insert("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", origin, hash),
			insert("INSERT INTO key (origin, key) VALUES (?, ?)", origin, vkey),
		)
	})
}

func sizeOf(db, origin string) (size int64, err error) {
	err = withDatabase(db, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, "SELECT tree_size FROM log WHERE origin = ?", &sqlitex.ExecOptions{
			Args: []any{origin},
			ResultFunc: func(row *sqlite.Stmt) error {
				size = row.GetInt64("tree_size")
				return nil
			},
		})
	})
	return size, err
}

func withDatabase(path string, use func(*sqlite.Conn) error) (err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return use(conn)
}
