package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// makeKey fills a setting with a key that the operator's tool makes once, and that stays in a file.
func (s *run) makeKey(ctx context.Context, name, path string, command ...string) error {
	if s.env.Has(name) {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := s.newKey(ctx, name, path, command); err != nil {
			return err
		}
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s.env.Fill(name, strings.TrimSpace(string(key)))
	return nil
}

func (s *run) newKey(ctx context.Context, name, path string, command []string) error {
	var said strings.Builder
	spec := s.spec("keys", append([]string{filepath.Join(s.root, "bin", "countersign")}, command...), 0)
	spec.Errors, spec.Output = spec.Output, &said
	if err := s.runner.MustFinish(ctx, spec); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	key := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), name+"=")
	if key == "" {
		return fmt.Errorf("«countersign %s» printed nothing", strings.Join(command, " "))
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(key+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
