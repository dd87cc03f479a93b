package countersign_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Expand and contract, as CONTRIBUTING says it: while a deploy rolls, the version before works on the new schema, under load. A
// migration that takes something away from it, or holds up its writes, is refused, unless a line «-- contract: REASON» above the
// statement says why it may.

// expandFrom is the first migration that the rule holds: what had landed before it stays as it is.
const expandFrom = "000017"

// harms are what a statement may not do. A table that the same file makes is nobody's yet, and may be treated anyhow.
var harms = []struct {
	name    string
	pattern *regexp.Regexp
	unless  *regexp.Regexp
}{
	{"drops a table that the version before may use", regexp.MustCompile(`\bDROP (TABLE|VIEW|FUNCTION|TYPE|SCHEMA)\b`), nil},
	{"drops a column that the version before may use", regexp.MustCompile(`\bDROP (COLUMN\b|(IF EXISTS )?"?[a-z])`), regexp.MustCompile(`\bDROP (INDEX|CONSTRAINT|TRIGGER|DEFAULT|NOT NULL|POLICY|TABLE|VIEW|FUNCTION|TYPE|SCHEMA)\b`)},
	{"renames what the version before calls by its name", regexp.MustCompile(`\bRENAME\b`), nil},
	{"changes a column's type, and writes the whole table anew", regexp.MustCompile(`\bALTER (COLUMN )?\S+ (SET DATA )?TYPE\b`), nil},
	{"wants what the version before does not write", regexp.MustCompile(`\bSET NOT NULL\b`), nil},
	{"wants what the version before does not write", regexp.MustCompile(`\bADD (COLUMN )?(IF NOT EXISTS )?\S+ [^,;]*\bNOT NULL\b`), regexp.MustCompile(`\bDEFAULT\b`)},
	{"looks at every row while nobody may write: NOT VALID first, VALIDATE in a file of its own", regexp.MustCompile(`\bADD (CONSTRAINT \S+ )?(CHECK|FOREIGN KEY)\b`), regexp.MustCompile(`\bNOT VALID\b`)},
	{"holds up every write while the index is made: CONCURRENTLY, alone in its file", regexp.MustCompile(`\bCREATE (UNIQUE )?INDEX\b`), regexp.MustCompile(`\bINDEX CONCURRENTLY\b`)},
	{"empties a table", regexp.MustCompile(`\bTRUNCATE\b`), nil},
	{"writes every row in one transaction: fill it from the worker, in batches", regexp.MustCompile(`^(UPDATE|DELETE FROM)\b`), nil},
}

var (
	madeTable = regexp.MustCompile(`\bCREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)`)
	onTable   = regexp.MustCompile(`\b(?:ALTER TABLE(?: IF EXISTS)?(?: ONLY)?|ON|UPDATE|DELETE FROM|TRUNCATE(?: TABLE)?|DROP TABLE(?: IF EXISTS)?) ([a-z_]+)`)
	reason    = regexp.MustCompile(`(?m)^\s*-- contract: (.{20,})$`)
	comment   = regexp.MustCompile(`(?m)--.*$`)
	quoted    = regexp.MustCompile(`(?s)\$\w*\$.*?\$\w*\$|'(?:[^']|'')*'`)
)

// expandComplaints looks at one migration. Bodies of functions and texts are not looked into.
func expandComplaints(name, text string) (bad []string) {
	text = quoted.ReplaceAllString(text, "''")
	var made []string
	for _, m := range madeTable.FindAllStringSubmatch(text, -1) {
		made = append(made, m[1])
	}
	for statement := range strings.SplitSeq(text, ";") {
		if reason.MatchString(statement) {
			continue
		}
		plain := strings.Join(strings.Fields(comment.ReplaceAllString(statement, "")), " ")
		if on := onTable.FindStringSubmatch(plain); on != nil && slices.Contains(made, on[1]) {
			continue
		}
		parts := []string{plain}
		if strings.HasPrefix(plain, "ALTER TABLE") {
			parts = strings.Split(plain, ", ") // each of its changes by itself
		}
		for _, part := range parts {
			for _, harm := range harms {
				if harm.pattern.MatchString(part) && (harm.unless == nil || !harm.unless.MatchString(part)) {
					bad = append(bad, fmt.Sprintf("%s: «%.80s» %s", name, part, harm.name))
				}
			}
		}
	}
	return bad
}

func TestMigrationsExpand(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("migrations/*.up.sql")
	if err != nil || len(names) < 12 {
		t.Fatalf("%d migrations: %v", len(names), err)
	}
	for _, name := range names {
		if filepath.Base(name) < expandFrom {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range expandComplaints(name, string(text)) {
			t.Error(complaint)
		}
	}
}

func TestExpandCatchesHarm(t *testing.T) {
	t.Parallel()
	for text, word := range map[string]string{
		"DROP TABLE deliveries;":                                                     "drops a table",
		"ALTER TABLE messages DROP COLUMN status;":                                   "drops a column",
		"ALTER TABLE messages DROP status;":                                          "drops a column",
		"ALTER TABLE messages ADD COLUMN a int, DROP COLUMN b;":                      "drops a column",
		"ALTER TABLE messages RENAME COLUMN status TO state;":                        "renames",
		"ALTER TABLE messages ALTER COLUMN version TYPE bigint;":                     "changes a column's type",
		"ALTER TABLE messages ALTER COLUMN note SET NOT NULL;":                       "does not write",
		"ALTER TABLE messages\n    ADD COLUMN note text NOT NULL;":                   "does not write",
		"ALTER TABLE messages ADD CONSTRAINT c CHECK (version > 0);":                 "NOT VALID first",
		"ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c;":                            "NOT VALID first",
		"CREATE INDEX messages_x ON messages (x);":                                   "CONCURRENTLY",
		"CREATE UNIQUE INDEX messages_x ON messages (x);":                            "CONCURRENTLY",
		"TRUNCATE sessions;":                                                         "empties",
		"-- fill it\nUPDATE messages SET note = '';":                                 "every row",
		"-- contract: short\nDROP TABLE deliveries;":                                 "drops a table",
		"CREATE TABLE a (b int); DROP TABLE deliveries;":                             "drops a table",
		"-- contract: nobody has read it since 2.1.\nDROP TABLE a;\nDROP TABLE b;\n": "drops a table",
	} {
		catches(t, expandComplaints("x", text), word)
	}
}

func TestExpandLetsExpansionsPass(t *testing.T) {
	t.Parallel()
	passes := map[string]string{
		"a table":            "CREATE TABLE a (id uuid PRIMARY KEY, b text NOT NULL); CREATE INDEX a_b ON a (b); ALTER TABLE a ADD CONSTRAINT c CHECK (b <> '');",
		"a column":           "ALTER TABLE messages ADD COLUMN note text NOT NULL DEFAULT '', ADD COLUMN more text;",
		"an index":           "CREATE INDEX CONCURRENTLY messages_x ON messages (x);",
		"a constraint":       "ALTER TABLE messages ADD CONSTRAINT c CHECK (version > 0) NOT VALID;",
		"no index":           "DROP INDEX CONCURRENTLY messages_x;",
		"less is wanted":     "ALTER TABLE messages ALTER COLUMN note DROP NOT NULL, ALTER COLUMN more DROP DEFAULT, DROP CONSTRAINT c;",
		"a function":         "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE a SET b = 1; DROP TABLE a; END $$ LANGUAGE plpgsql;",
		"words":              "INSERT INTO a VALUES ('DROP TABLE b; RENAME');",
		"with a reason":      "-- contract: no version since 2.1 has read or written it.\nALTER TABLE messages DROP COLUMN note;",
		"what it says of it": "-- DROP TABLE would be wrong here\nSELECT 1;",
	}
	for _, name := range slices.Sorted(maps.Keys(passes)) {
		catches(t, expandComplaints(name, passes[name]))
	}
}
