package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// process is a command of ours as a Procfile spells it: bin/web, bin/countersign migrate.
func process(t *testing.T, where, line string) {
	t.Helper()
	words := strings.Fields(line)
	name := strings.TrimPrefix(strings.TrimPrefix(words[0], "/opt/countersign/"), "/")
	program, ours := strings.CutPrefix(name, "bin/")
	if _, err := os.Stat(filepath.Join("..", "cmd", program)); !ours || err != nil {
		t.Errorf("%s runs %s, which is no program of ours", where, words[0])
		return
	}
	if program != "countersign" {
		if len(words) > 1 {
			t.Errorf("%s gives %s words, which it does not read", where, words[0])
		}
		return
	}
	if rows := file(t, "docs/API.md"); len(words) < 2 || !strings.HasPrefix(words[1], "-") && !strings.Contains(rows, "| `countersign "+words[1]) {
		t.Errorf("%s runs «%s», which docs/API.md does not have", where, line)
	}
}

func text(list any) string {
	var words []string
	for _, word := range list.([]any) {
		words = append(words, fmt.Sprint(word))
	}
	return strings.Join(words, " ")
}

// Every command that a platform's file runs is there, and all of them run the Procfile's three.
func TestFilesRunRealCommands(t *testing.T) {
	t.Parallel()
	procfile := map[string]string{}
	for line := range strings.Lines(file(t, "Procfile")) {
		name, command, _ := strings.Cut(strings.TrimSpace(line), ": ")
		procfile[name] = command
		process(t, "Procfile", command)
	}
	fly, render, compose := parsed(t, "fly.toml"), parsed(t, "render.yaml"), parsed(t, "compose.yaml")
	for where, ran := range map[string]map[string]any{
		"fly.toml": {"release": dig(t, fly, "deploy", "release_command"), "web": dig(t, fly, "processes", "web"), "worker": dig(t, fly, "processes", "worker")},
		"render.yaml": {"release": dig(t, render, "services", 0, "preDeployCommand"), "web": dig(t, render, "services", 0, "dockerCommand"),
			"worker": dig(t, render, "services", 1, "dockerCommand")},
		"compose.yaml": {"release": text(dig(t, compose, "services", "release", "command")), "web": text(dig(t, compose, "services", "web", "command")),
			"worker": text(dig(t, compose, "services", "worker", "command"))},
	} {
		for name, command := range procfile {
			if ran[name] != command {
				t.Errorf("%s runs %q as its %s, the Procfile %q", where, ran[name], name, command)
			}
		}
	}
	health := text(dig(t, compose, "services", "worker", "healthcheck", "test"))
	process(t, "compose.yaml", strings.TrimPrefix(health, "CMD "))
	spec := dig(t, parsed(t, "app.json"), "env", "GO_INSTALL_PACKAGE_SPEC", "value").(string)
	for program := range strings.FieldsSeq(spec) {
		process(t, "app.json", "bin/"+strings.TrimPrefix(program, "./cmd/")+map[bool]string{true: " --help"}[strings.HasSuffix(program, "/countersign")])
	}
	for name := range dig(t, parsed(t, "app.json"), "formation").(map[string]any) {
		if procfile[name] == "" {
			t.Errorf("app.json scales %s, which the Procfile does not have", name)
		}
	}
}

// targets are the names that make knows.
func targets(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):(?:[^=]|$)`).FindAllStringSubmatch(file(t, "Makefile"), -1) {
		names = append(names, m[1])
	}
	return names
}

func TestFilesMakeRealTargets(t *testing.T) {
	t.Parallel()
	known, found := targets(t), 0
	for _, name := range []string{"Dockerfile", ".github/workflows/ci.yml", ".devcontainer/devcontainer.json", ".air.toml", ".ci/run"} {
		for _, m := range regexp.MustCompile(`(?m)(?:RUN|run:|": "|cmd = ")\s*make ([a-z]+)`).FindAllStringSubmatch(file(t, name), -1) {
			found++
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s makes %s, which the Makefile does not have", name, m[1])
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d commands of make were found", found)
	}
}

// The toolchain is one: go.mod's, in the image, the dev container and the workflows.
func TestOneGoVersion(t *testing.T) {
	t.Parallel()
	want := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(file(t, "go.mod"))[1]
	for _, name := range []string{"Dockerfile", ".devcontainer/devcontainer.json"} {
		if got := regexp.MustCompile(`golang:(\d+\.\d+)`).FindStringSubmatch(file(t, name)); got == nil || got[1] != want {
			t.Errorf("%s has Go %v, go.mod %s", name, got, want)
		}
	}
	ci := file(t, ".github/workflows/ci.yml")
	if n, m := strings.Count(ci, "actions/setup-go@"), strings.Count(ci, "go-version-file: go.mod"); n != m || n == 0 {
		t.Errorf("the workflow sets Go up %d times, %d times as go.mod says", n, m)
	}
}

// Workflows may read and nothing else, and what they use of others is pinned by commit.
func TestWorkflowIsPinnedAndMayOnlyRead(t *testing.T) {
	t.Parallel()
	ci := parsed(t, ".github/workflows/ci.yml")
	if may := dig(t, ci, "permissions").(map[string]any); len(may) != 1 || may["contents"] != "read" {
		t.Errorf("the workflow may %v", may)
	}
	jobs := dig(t, ci, "jobs").(map[string]any)
	for _, want := range []string{"check", "test", "chaos", "image", "sbom"} {
		job, ok := jobs[want].(map[string]any)
		if !ok || job["permissions"] != nil || job["timeout-minutes"] == nil {
			t.Errorf("the job %s is missing, unbounded or may more: %v", want, job)
		}
	}
	all := file(t, ".github/workflows/ci.yml")
	uses := regexp.MustCompile(`uses: (\S+)(.*)`).FindAllStringSubmatch(all, -1)
	for _, one := range uses {
		if !regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`).MatchString(one[1]) || !regexp.MustCompile(`^ # v\d`).MatchString(one[2]) {
			t.Errorf("not pinned: %s", one[0])
		}
	}
	if n := strings.Count(all, "persist-credentials: false"); len(uses) < 5 || n != strings.Count(all, "actions/checkout@") {
		t.Errorf("%d uses; %d checkouts keep no credentials", len(uses), n)
	}
	if !strings.Contains(all, "make chaos FOR=60s") || strings.Contains(all, "${{ secrets") {
		t.Error("chaos is not a minute long, or a secret is used")
	}
}
