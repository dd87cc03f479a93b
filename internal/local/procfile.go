package local

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Procfile is the list of named command lines that a platform would run, in the file's order.
type Procfile []ProcfileEntry

// ProcfileEntry is one line of it: a name and what a shell should run.
type ProcfileEntry struct{ Name, Line string }

var procfileLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(\S.*)$`)

// ReadProcfile reads and parses the file at path.
func ReadProcfile(path string) (Procfile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ParseProcfile(file)
}

// ParseProcfile reads «name: command» lines. Blank lines and lines beginning with # are skipped. Anything else, and a name used
// twice, is an error that names its line.
func ParseProcfile(r io.Reader) (Procfile, error) {
	var entries Procfile
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		text := strings.TrimSpace(scanner.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		match := procfileLine.FindStringSubmatch(text)
		if match == nil {
			return nil, fmt.Errorf("Procfile line %d is not «name: command»: %q", n, text)
		}
		if _, err := entries.Line(match[1]); err == nil {
			return nil, fmt.Errorf("Procfile line %d names %q a second time", n, match[1])
		}
		entries = append(entries, ProcfileEntry{Name: match[1], Line: match[2]})
	}
	return entries, scanner.Err()
}

// Line returns the command of name.
func (p Procfile) Line(name string) (string, error) {
	for _, entry := range p {
		if entry.Name == name {
			return entry.Line, nil
		}
	}
	return "", fmt.Errorf("the Procfile has no line named %q", name)
}
