package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// build makes the programs from this tree, so that what is measured is what is here.
func build(b *testing.B) string {
	dir := b.TempDir()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", dir+string(filepath.Separator), "countersign/cmd/web", "countersign/cmd/worker", "countersign/cmd/countersign")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// program is one of the product's programs under way, with its log in a file.
type program struct {
	b       *testing.B
	cmd     *exec.Cmd
	log     *os.File
	stopped bool
}

// start runs a program until it is stopped; the benchmark's end stops it too.
func (s *stage) start(name string, args []string, more map[string]string) *program {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, set := range []map[string]string{s.env, more} {
		for key, value := range set {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	log, err := os.CreateTemp(s.bin, name+"-*.log")
	must(s.b, err)
	cmd.Stdout, cmd.Stderr = log, log
	must(s.b, cmd.Start())
	p := &program{b: s.b, cmd: cmd, log: log}
	s.b.Cleanup(p.stop)
	return p
}

// stop asks it to end, and fails the benchmark with its last words when it ends badly.
func (p *program) stop() {
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	err := p.cmd.Wait()
	if _ = p.log.Close(); err != nil {
		text, _ := os.ReadFile(p.log.Name())
		p.b.Errorf("%s ended by %v\n%s", filepath.Base(p.cmd.Path), err, text[max(0, len(text)-2000):])
	}
}
