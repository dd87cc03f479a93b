package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// prefixes are where brew keeps its packages.
var prefixes = []string{"/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"}

// findPostgres returns the folder with initdb and postgres, empty if there is none: the one on the PATH, else the newest that
// distributions and brew keep elsewhere. If major is not empty, only that version counts: a cluster made by it exists.
func findPostgres(major string) string {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	patterns := []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin"}
	for _, prefix := range prefixes {
		patterns = append(patterns, prefix+"/opt/postgresql@*/bin", prefix+"/opt/postgresql/bin")
	}
	var elsewhere []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)
		elsewhere = append(elsewhere, found...)
	}
	slices.SortStableFunc(elsewhere, func(a, b string) int { return pathVersion(b) - pathVersion(a) })
	for _, folder := range append(folders, elsewhere...) {
		if isProgram(folder+"/initdb") && isProgram(folder+"/postgres") && (major == "" || postgresMajor(folder) == major) {
			return folder
		}
	}
	return ""
}

// pathVersion is the number in a path such as …/postgresql/17/bin, or zero.
func pathVersion(path string) int {
	digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}

// postgresMajor asks the binary: «postgres (PostgreSQL) 17.2 (Debian …)» is 17.
func postgresMajor(folder string) string {
	out, err := exec.Command(folder+"/postgres", "--version").Output()
	if err != nil {
		return ""
	}
	_, version, _ := strings.Cut(string(out), "(PostgreSQL) ")
	if end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		version = version[:end]
	}
	return version
}

// findRedis returns the server's path, empty if there is none.
func findRedis() string {
	paths := []string{}
	for _, prefix := range prefixes {
		paths = append(paths, prefix+"/opt/redis/bin/redis-server", prefix+"/opt/valkey/bin/valkey-server")
	}
	return findProgram([]string{"redis-server", "valkey-server"}, paths)
}

// findPooler returns PgBouncer's path, empty if there is none.
func findPooler() string {
	paths := []string{}
	for _, prefix := range prefixes {
		paths = append(paths, prefix+"/opt/pgbouncer/bin/pgbouncer")
	}
	return findProgram([]string{"pgbouncer"}, paths)
}

// findBrowser returns the path of a Chromium or Chrome, empty if there is none.
func findBrowser() string {
	paths := []string{"/snap/bin/chromium"}
	for _, base := range []string{"", os.Getenv("HOME")} {
		paths = append(paths,
			base+"/Applications/Chromium.app/Contents/MacOS/Chromium",
			base+"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
	}
	return findProgram([]string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"}, paths)
}

// findProgram looks for the names on the PATH and in the folders of system programs, and then at the given paths.
func findProgram(names, paths []string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		paths = append(paths, "/usr/bin/"+name, "/usr/sbin/"+name, "/usr/local/bin/"+name)
	}
	for _, path := range paths {
		if isProgram(path) {
			return path
		}
	}
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
