package main

import (
	"context"
	"errors"
	"net/url"
	"os"

	"countersign/internal/app"
	"countersign/internal/config"
)

type backupKeyCmd struct{}

func (backupKeyCmd) Run() error { return app.NewBackupKey(os.Stdout, os.Stderr) }

type backupCreateCmd struct {
	At   string `help:"The bucket or folder; BACKUP_URL, else BLOB_URL unless given."`
	Keep int    `help:"Take away all but so many of the newest."`
}

func (c backupCreateCmd) Run(ctx context.Context) error {
	if c.Keep < 0 {
		return coded{2, errors.New("--keep must be 1 or more")}
	}
	return withBackups(ctx, c.At, func(b *app.Backups) error { return b.Create(ctx, c.Keep) })
}

type backupListCmd struct {
	At string `help:"The bucket or folder; BACKUP_URL, else BLOB_URL unless given."`
}

func (c backupListCmd) Run(ctx context.Context) error {
	return withBackups(ctx, c.At, func(b *app.Backups) error { return b.List(ctx) })
}

type backupVerifyCmd struct {
	Name     string `arg:"" optional:"" help:"The backup; the newest unless given."`
	At       string `help:"The bucket or folder; BACKUP_URL, else BLOB_URL unless given."`
	Identity string `help:"The file with the backup key, to open the archive."`
	Into     string `env:"RESTORE_DATABASE_URL" help:"The owner's address of an empty database to restore into, and to verify the ledger in. With a password in it, set it as RESTORE_DATABASE_URL instead: arguments are for all of the machine to see."`
}

func (c backupVerifyCmd) Run(ctx context.Context) error {
	if err := noPassword(c.Into); err != nil {
		return err
	}
	return judged(withBackups(ctx, c.At, func(b *app.Backups) error {
		if c.Into != "" {
			return b.Restore(ctx, app.Restoring{Name: c.Name, Into: c.Into, Identity: c.Identity, Trial: true})
		}
		return b.Verify(ctx, c.Name, c.Identity)
	}))
}

type backupRestoreCmd struct {
	Name     string `arg:"" optional:"" help:"The backup; the newest unless given."`
	At       string `help:"The bucket or folder; BACKUP_URL, else BLOB_URL unless given."`
	Identity string `help:"The file with the backup key."`
	Into     string `env:"RESTORE_DATABASE_URL" required:"" help:"The owner's address of an empty database. With a password in it, set it as RESTORE_DATABASE_URL instead: arguments are for all of the machine to see."`
	Force    bool   `help:"Also with a KEYSET that lacks keys: what it lacks does not open."`
}

func (c backupRestoreCmd) Run(ctx context.Context) error {
	if err := noPassword(c.Into); err != nil {
		return err
	}
	return judged(withBackups(ctx, c.At, func(b *app.Backups) error {
		return b.Restore(ctx, app.Restoring{Name: c.Name, Into: c.Into, Identity: c.Identity, Force: c.Force})
	}))
}

// noPassword refuses an address with a password that was given as an argument.
func noPassword(into string) error {
	u, err := url.Parse(into)
	if err != nil || os.Getenv("RESTORE_DATABASE_URL") == into {
		return nil
	}
	if _, given := u.User.Password(); given || u.Query().Has("password") {
		return coded{2, errors.New("--into holds a password, which everybody on the machine can see: set the address as RESTORE_DATABASE_URL, or leave the password to PGPASSWORD")}
	}
	return nil
}

// judged gives 1 to a bad backup alone, 3 to keys that are missing, and 2 to what could not be done.
func judged(err error) error {
	switch {
	case err == nil || app.BackupRefused(err):
		return err
	case errors.Is(err, app.ErrBackupKeys):
		return coded{3, err}
	}
	return coded{2, err}
}

func withBackups(ctx context.Context, at string, do func(*app.Backups) error) error {
	return withStore(func(cfg *config.Config) error {
		b, err := app.OpenBackups(ctx, cfg, at, os.Stdout)
		if err != nil {
			return err
		}
		defer b.Close()
		return do(b)
	})
}
