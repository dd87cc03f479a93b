package local

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// aptScript installs packages so that their services do not start and no default cluster is made.
//
//go:embed install-apt.sh
var aptScript string

// Needs are the things that have to be on the machine.
type Needs struct{ Postgres, Redis, Browser, Pooler bool }

// Installation is what is missing and the command that brings it.
type Installation struct {
	console *Console
	command []string
	sudo    bool
}

// planInstallation looks for what is needed, and says what will be installed, by what means. It returns nil if nothing is missing
// and an error if it cannot be brought. If a password is wanted for that, this is the moment at which it is asked for.
func planInstallation(ctx context.Context, console *Console, needs Needs) (*Installation, error) {
	var missing []string
	if needs.Postgres && findPostgres("") == "" {
		missing = append(missing, "postgresql")
	}
	if needs.Redis && findRedis() == "" {
		missing = append(missing, "redis")
	}
	if needs.Browser && findBrowser() == "" {
		missing = append(missing, "chromium")
	}
	if needs.Pooler && findPooler() == "" {
		missing = append(missing, "pgbouncer")
	}
	if len(missing) == 0 {
		return nil, nil
	}
	in := &Installation{console: console}
	switch {
	case findProgram([]string{"apt-get"}, nil) != "":
		in.command = aptCommand(missing)
	case findProgram([]string{"brew"}, []string{"/opt/homebrew/bin/brew", "/home/linuxbrew/.linuxbrew/bin/brew"}) != "":
		in.command = brewCommand(missing)
		console.Say("missing: %s. It will be installed with: %s", strings.Join(missing, ", "), strings.Join(in.command, " "))
		return in, nil
	default:
		return nil, fmt.Errorf("missing: %s, and there is neither apt nor brew here; install it, or set DATABASE_URL and REDIS_URL "+
			"(and CHROMIUM and PGBOUNCER for tests)", strings.Join(missing, ", "))
	}
	console.Say("missing: %s. It will be installed with apt (services are not started, nothing listens on the default ports)",
		strings.Join(missing, ", "))
	return in, in.authorize(ctx)
}

func aptCommand(missing []string) []string {
	names := strings.NewReplacer("redis", "redis-server")
	command := []string{"sh", "-c", aptScript, "install-apt"}
	for _, name := range missing {
		command = append(command, names.Replace(name))
	}
	return command
}

func brewCommand(missing []string) []string {
	// One shell line, since brew wants its applications apart from its formulae.
	var formulae, casks []string
	for _, name := range missing {
		switch name {
		case "chromium":
			casks = append(casks, "google-chrome")
		case "postgresql":
			formulae = append(formulae, "postgresql@17")
		default:
			formulae = append(formulae, name)
		}
	}
	line := "export HOMEBREW_NO_AUTO_UPDATE=1 PATH=\"$PATH:/opt/homebrew/bin:/usr/local/bin:/home/linuxbrew/.linuxbrew/bin\""
	if len(formulae) > 0 {
		line += " && brew install " + strings.Join(formulae, " ")
	}
	if len(casks) > 0 {
		line += " && brew install --cask " + strings.Join(casks, " ")
	}
	return []string{"sh", "-c", line}
}

// authorize makes sure that the installation may act as root, asking for a password if there is a terminal to ask at.
func (in *Installation) authorize(ctx context.Context) error {
	if os.Geteuid() == 0 {
		return nil
	}
	in.sudo = true
	if _, err := exec.LookPath("sudo"); err != nil {
		return errors.New("installing needs root, and there is no sudo here: run this as root, install it yourself, or set DATABASE_URL and REDIS_URL")
	}
	if exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil {
		return nil
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return errors.New("installing needs root, and sudo wants a password that nobody is here to type: install it yourself, or set DATABASE_URL and REDIS_URL")
	}
	defer terminal.Close()
	ask := exec.CommandContext(ctx, "sudo", "-v")
	ask.Stdin, ask.Stdout, ask.Stderr = terminal, terminal, terminal
	return ask.Run()
}

// Run installs. The package manager stays in our own process group, because sudo may have to talk to the terminal; it is asked to
// stop, and waited for, when ctx ends: it must not be cut off in the middle of a package.
func (in *Installation) Run(ctx context.Context) error {
	step := in.console.Begin("install", "installing; this takes a minute or two")
	command := in.command
	if in.sudo {
		command = append([]string{"sudo"}, command...)
	}
	var tail []string
	output := &Lines{each: func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			step.Note("%.100s", text)
			tail = append(tail, text)
			tail = tail[max(0, len(tail)-20):]
		}
	}}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 8 * time.Second
	err := cmd.Run()
	_ = output.Close()
	if step.End(err) != nil {
		return fmt.Errorf("installing failed (%w); the last it said:\n  %s", err, strings.Join(tail, "\n  "))
	}
	return nil
}
