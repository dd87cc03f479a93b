// Command countersign is the operator's tool: migrations, the demo clinic, people and their roles, networks, keys, and a look at
// the settings and at the health of a process.
//
// It reads the same environment as web and worker. Exit code 2 means that a setting or an argument is wrong, 1 that
// the work could not be done, 3 that there was nothing to do where that should be known (reconcile).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"countersign/internal/config"
)

// tool is every command; kong writes the help from it.
type tool struct {
	Migrate migrateCmd `cmd:"" help:"Bring the database to this version and give the app's role its permissions."`
	Seed    seedCmd    `cmd:"" help:"Fill the demo clinic. A second time changes nothing; production refuses."`
	Clinic  struct {
		Create clinicCreateCmd `cmd:"" help:"Set up a clinic. An installation serves the first one."`
	} `cmd:"" help:"The clinic."`
	User struct {
		Add     userAddCmd     `cmd:"" help:"Give a person a role before they sign in for the first time."`
		Role    userRoleCmd    `cmd:"" help:"Change a person's role; it ends their sessions."`
		Disable userDisableCmd `cmd:"" help:"Switch a person off and end their sessions at once."`
		Enable  userEnableCmd  `cmd:"" help:"Switch a person on again; they sign in anew."`
		List    userListCmd    `cmd:"" help:"List the people of the clinic."`
	} `cmd:"" help:"People and their roles."`
	Network struct {
		List    networkListCmd    `cmd:"" help:"List the networks and countries that are kept out or let in."`
		Unblock networkUnblockCmd `cmd:"" help:"Take an entry off: the way back in for who has shut themselves out."`
	} `cmd:"" help:"Who is kept out."`
	Keys struct {
		New     keysNewCmd     `cmd:"" help:"Print a new keyset, for KEYSET or a file that KEYSET_FILE names; encrypted if KEYSET_KMS is set."`
		Move    keysMoveCmd    `cmd:"" help:"Print KEYSET, the same keys, as a key service encrypts it; it was in the clear, or with another service."`
		Status  keysStatusCmd  `cmd:"" help:"Which key wraps, and how many patients depend on each; exit code 1 if one is missing."`
		Add     keysAddCmd     `cmd:"" help:"Print KEYSET with one more key, which only opens as yet."`
		Promote keysPromoteCmd `cmd:"" help:"Print KEYSET with its youngest key wrapping."`
		Rotate  keysRotateCmd  `cmd:"" help:"Wrap all patients' keys anew with the key that wraps; safe to repeat."`
		Drop    keysDropCmd    `cmd:"" help:"Print KEYSET without the keys that nothing in this database needs."`
	} `cmd:"" help:"The keys that seal patient data. What makes a KEYSET prints it alone, and changes nothing else."`
	Audit struct {
		Verify     auditVerifyCmd     `cmd:"" help:"Verify the whole ledger. Exit code 0: clean, 1: tampered, 2: could not be checked."`
		Prove      auditProveCmd      `cmd:"" help:"Print the proof that an event is in the ledger, which can be checked without the database."`
		CheckProof auditCheckProofCmd `cmd:"" help:"Check a proof, without the database. Exit codes as verify's."`
		Archive    auditArchiveCmd    `cmd:"" help:"Take old months of the trail to BLOB_URL, as the database's owner. They still verify."`
		Restored   auditRestoredCmd   `cmd:"" help:"After a restore: sign which part of the ledger it lost, beside the anchors. Each verification tells of it."`
		Key        auditKeyCmd        `cmd:"" help:"Print a new signing key, for LEDGER_KEY or a file that LEDGER_KEY_FILE names."`
	} `cmd:"" help:"The audit ledger."`
	Backup struct {
		Create  backupCreateCmd  `cmd:"" help:"Make a backup of one moment, while everything goes on."`
		List    backupListCmd    `cmd:"" help:"List the backups that there are."`
		Verify  backupVerifyCmd  `cmd:"" help:"Verify a backup. Exit code 0: good, 1: not what was made, 2: could not be checked, 3: KEYSET lacks a key."`
		Restore backupRestoreCmd `cmd:"" help:"Restore a backup into an empty database, with sending stopped. Exit codes as verify's."`
		Key     backupKeyCmd     `cmd:"" help:"Print a new key that opens backups, and its recipient, for BACKUP_RECIPIENTS."`
	} `cmd:"" help:"Backups of the database."`
	Config struct {
		Check configCheckCmd `cmd:"" help:"Read the settings and print them without secrets, or every complaint."`
	} `cmd:"" help:"The settings."`
	Chaos     chaosCmd     `cmd:"" help:"Kill and freeze everything on servers of its own while people use it, then judge twenty invariants."`
	Reconcile reconcileCmd `cmd:"" help:"After a restore: settle what may have been sent, and let sending begin again."`
	Sandbox   sandboxCmd   `cmd:"" help:"Play the providers and the sign-in page on SANDBOX_PORT (8090)."`
	Health    healthCmd    `cmd:"" help:"Ask a process whether it is ready; for container checks."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var t tool
	parser, err := kong.New(&t, kong.Name("countersign"), kong.Description("The operator's tool of Countersign."), kong.UsageOnError())
	if err != nil {
		fmt.Fprintln(os.Stderr, "countersign:", err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "countersign:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run()
	var complaints config.Complaints
	var known coded
	switch {
	case errors.As(err, &known):
		fmt.Fprintln(os.Stderr, "countersign:", err)
		return known.code
	case errors.As(err, &complaints):
		fmt.Fprintln(os.Stderr, complaints)
		return 2
	case err != nil:
		fmt.Fprintln(os.Stderr, "countersign:", err)
		return 1
	}
	return 0
}
