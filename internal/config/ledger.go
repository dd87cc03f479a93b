package config

import (
	"fmt"
	"strings"
)

// checkLedger looks at the shape only; reading the key is ledger's work.
func (c *Config) checkLedger() Complaints {
	key := c.LedgerKey.Reveal()
	switch {
	case key == "" && c.Env.Guarded():
		return Complaints{fmt.Sprintf("LEDGER_KEY (or LEDGER_KEY_FILE) must hold the key that signs the audit ledger in %s. Make one with «countersign audit key».", c.Env)}
	case key == "":
		return nil
	case !strings.HasPrefix(key, "PRIVATE+KEY+"):
		return Complaints{"LEDGER_KEY must be a signing key, as «countersign audit key» prints it."}
	case strings.HasPrefix(key, "PRIVATE+KEY+local-") && c.Env.Guarded():
		return Complaints{fmt.Sprintf("LEDGER_KEY was made for trying out on one machine; %s refuses it. Make one with «countersign audit key».", c.Env)}
	}
	return nil
}

// LedgerKnown are the verifiers of the keys before the ledger's.
func (c *Config) LedgerKnown() []string {
	return strings.FieldsFunc(c.LedgerVerifiers, func(r rune) bool { return r == ',' || r == ' ' })
}
