package config

import (
	"fmt"
	"slices"
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

// auditSettings are all that an auditor may have.
var auditSettings = []string{"DATABASE_URL", "LEDGER_KEY", "LEDGER_VERIFIERS", "BLOB_URL", "MIGRATE_DATABASE_URL"}

// LoadAudit reads what verifying the ledger needs, and looks at nothing else of the environment: an auditor has the address of
// a database, or of a copy, and no key that opens anything.
func LoadAudit(getenv func(string) string) (*Config, error) {
	c, complaints := read(func(name string) string {
		if slices.Contains(auditSettings, strings.TrimSuffix(name, "_FILE")) {
			return getenv(name)
		}
		return ""
	})
	if c.DatabaseURL == "" {
		complaints = append(complaints, "DATABASE_URL (or DATABASE_URL_FILE) must be the address of the database, or of a copy, as a role that may read it.")
	}
	return c.orComplain(complaints)
}

// LedgerKnown are the verifiers of the keys before the ledger's.
func (c *Config) LedgerKnown() []string {
	return strings.FieldsFunc(c.LedgerVerifiers, func(r rune) bool { return r == ',' || r == ' ' })
}
