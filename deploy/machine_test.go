package deploy

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

type unit struct{ name, text string }

func units(t *testing.T) (all []unit) {
	t.Helper()
	names, err := filepath.Glob("systemd/*.service")
	if err != nil || len(names) != 3 {
		t.Fatalf("the units are %v: %v", names, err)
	}
	for _, name := range names {
		all = append(all, unit{name, file(t, filepath.Join("deploy", name))})
	}
	return all
}

// instructions are a Dockerfile's, comments and line breaks taken off.
func instructions(text string) (all [][2]string) {
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, [2]string{word, strings.TrimSpace(rest)})
		}
	}
	return all
}

// The image: two stages, the last one with nothing in it but what is copied, nobody's root, and asked for its health by our own
// program. A container engine is not needed to know that; that it builds, the workflow's job image shows.
func TestImage(t *testing.T) {
	t.Parallel()
	var froms, runs []string
	last := map[string]string{}
	for _, one := range instructions(file(t, "Dockerfile")) {
		switch one[0] {
		case "FROM":
			froms, last = append(froms, one[1]), map[string]string{}
		case "RUN":
			runs = append(runs, one[1])
		}
		last[one[0]] += one[1] + "\n"
	}
	if len(froms) != 2 || froms[1] != "scratch" || last["RUN"] != "" {
		t.Errorf("the stages are %v, and the last one runs %q", froms, last["RUN"])
	}
	if !slices.Equal(runs, []string{"go mod download", "make build"}) {
		t.Errorf("it is built by %q", runs)
	}
	if user := strings.TrimSpace(last["USER"]); !regexp.MustCompile(`^[1-9]\d+:[1-9]\d+$`).MatchString(user) {
		t.Errorf("it runs as %q: a number is wanted, which a platform can tell from root's", user)
	}
	_, health, _ := strings.Cut(strings.TrimSpace(last["HEALTHCHECK"]), "CMD ")
	process(t, "HEALTHCHECK", strings.NewReplacer(`"`, "", "[", "", "]", "", ",", "").Replace(health))
	process(t, "CMD", strings.Trim(strings.TrimSpace(last["CMD"]), `[]"`))
	for _, program := range []string{"web", "worker", "countersign"} {
		if !strings.Contains(last["COPY"], "/src/bin/"+program+" ") {
			t.Errorf("%s is not copied", program)
		}
	}
	for _, secret := range []string{"/.env", "/.local"} {
		if !slices.Contains(strings.Fields(file(t, ".dockerignore")), secret) {
			t.Errorf(".dockerignore lets %s in", secret)
		}
	}
	build, err := exec.Command("make", "-C", "..", "-n", "build").Output() // what «make build» would run
	if err != nil || !strings.Contains(string(build), "CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...") {
		t.Errorf("make build is %q, and scratch has no C library: %v", build, err)
	}
}

// longer fails unless a platform waits longer than the process it stops.
func longer(t *testing.T, where, wait, shutdown string) {
	t.Helper()
	w, err1 := time.ParseDuration(wait)
	s, err2 := time.ParseDuration(shutdown)
	if err1 != nil || err2 != nil || w <= s {
		t.Errorf("%s kills after %s (%v), a process may take %s (%v)", where, wait, err1, shutdown, err2)
	}
}

// Whoever stops a process waits longer than it may take, and a draining web serves longer than its router needs to notice.
func TestNobodyIsKilledEarly(t *testing.T) {
	t.Parallel()
	standard := "25s"
	fly := parsed(t, "fly.toml")
	longer(t, "fly.toml", dig(t, fly, "kill_timeout").(string), dig(t, fly, "env", "SHUTDOWN_TIMEOUT").(string))
	longer(t, "fly.toml's router", dig(t, fly, "env", "DRAIN_DELAY").(string), dig(t, fly, "http_service", "checks", 0, "interval").(string))
	longer(t, "Heroku", "30s", dig(t, parsed(t, "app.json"), "env", "SHUTDOWN_TIMEOUT", "value").(string))
	for _, name := range []string{"web", "worker"} {
		longer(t, "compose.yaml", dig(t, parsed(t, "compose.yaml"), "services", name, "stop_grace_period").(string), standard)
	}
	values := map[string]string{}
	for _, one := range dig(t, parsed(t, "render.yaml"), "envVarGroups", 0, "envVars").([]any) {
		if value, ok := one.(map[string]any)["value"].(string); ok {
			values[one.(map[string]any)["key"].(string)] = value
		}
	}
	longer(t, "render.yaml", "60s", values["SHUTDOWN_TIMEOUT"])
	for _, u := range units(t) {
		if m := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(u.text); m != nil {
			longer(t, u.name, m[1]+"s", standard)
		} else if !strings.Contains(u.text, "Type=oneshot") {
			t.Errorf("%s does not say how long it waits", u.name)
		}
	}
}

// What every unit gives up. systemd-analyze security rates them; this holds them to it.
const givenUp = `DynamicUser=yes NoNewPrivileges=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes PrivateUsers=yes
	ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes RestrictNamespaces=yes
	RestrictSUIDSGID=yes LockPersonality=yes MemoryDenyWriteExecute=yes SystemCallFilter=@system-service CapabilityBoundingSet= UMask=0077`

func TestUnitsAreHardened(t *testing.T) {
	t.Parallel()
	for _, u := range units(t) {
		lines := strings.Split(u.text, "\n")
		for want := range strings.FieldsSeq(givenUp) {
			if !slices.Contains(lines, want) {
				t.Errorf("%s lacks %s", u.name, want)
			}
		}
		for _, line := range lines {
			if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
				process(t, u.name, command)
			}
			if strings.Contains(line, "%d/") && !strings.Contains(line, "_FILE=%d/") {
				t.Errorf("%s: a credential is not read from a file: %s", u.name, line)
			}
		}
		if strings.Contains(u.text, "release.env") != strings.Contains(u.name, "release") {
			t.Errorf("%s: the owner's address is for the release alone", u.name)
		}
	}
}

// compose's containers give up what they can, and only web is reached from the machine, by the machine alone.
func TestComposeIsClosed(t *testing.T) {
	t.Parallel()
	services := dig(t, parsed(t, "compose.yaml"), "services").(map[string]any)
	for name, one := range services {
		service := one.(map[string]any)
		if ports, ok := service["ports"]; ok != (name == "web") || ok && !strings.HasPrefix(ports.([]any)[0].(string), "127.0.0.1:") {
			t.Errorf("%s is reached at %v", name, ports)
		}
		if _, ours := service["build"]; ours && (service["read_only"] != true || text(service["cap_drop"]) != "ALL" || text(service["security_opt"]) != "no-new-privileges:true") {
			t.Errorf("%s gives up too little: %v", name, service)
		}
		if _, ours := service["build"]; ours == (name == "postgres" || name == "redis") {
			t.Errorf("what is built is not what it should be: %s", name)
		}
	}
	if command := text(dig(t, services, "postgres", "command")); !strings.Contains(command, "listen_addresses=") {
		t.Error("Postgres listens")
	}
	if command := text(dig(t, services, "redis", "command")); !strings.Contains(command, "noeviction") || !strings.Contains(command, "everysec") {
		t.Errorf("Redis may forget: %s", command)
	}
}
