package chaos

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// paper is what a run writes: its report, and beside it the folder with the evidence, the logs of all processes among
// it, which stays when something was broken.
type paper struct {
	mu    sync.Mutex
	out   io.Writer
	dir   string
	copy  *os.File
	files map[string]*os.File
}

// newPaper also returns the report as a stream for others to write whole lines to.
func newPaper(out io.Writer) (*paper, io.Writer) {
	if out == nil {
		out = io.Discard
	}
	p := &paper{out: out, files: map[string]*os.File{}}
	return p, p
}

// openIn makes the folder of the evidence, in which no other run writes, even if it has the same seed and begins at the same moment.
func (p *paper) openIn(parent, name string) (err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp(parent, name+"-"); err != nil {
		return err
	}
	p.copy, err = os.Create(p.file("report.txt"))
	return err
}

func (p *paper) file(name string) string { return filepath.Join(p.dir, name) }

func (p *paper) line(text string) { _, _ = p.Write([]byte(text + "\n")) }

// Write never fails: a reader that went away must not end the run.
func (p *paper) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(text)
	if p.copy != nil {
		_, _ = p.copy.Write(text)
	}
	return len(text), nil
}

// stream is the log of a process, which goes on where it was when the process is started again.
func (p *paper) stream(name string) io.Writer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files[name] == nil {
		file, err := os.OpenFile(p.file(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return io.Discard
		}
		p.files[name] = file
	}
	return p.files[name]
}

// close leaves the folder if keep is set, and says where it is.
func (p *paper) close(keep bool) {
	if keep {
		p.line("evidence: " + p.dir)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, file := range p.files {
		_ = file.Close()
	}
	_ = p.copy.Close()
	p.copy = nil
	if !keep {
		_ = os.RemoveAll(p.dir)
	}
}

// counted is "3 rows", "1 row", "2 deliveries".
func counted(n int, noun string) string {
	stem, ends := strings.CutSuffix(noun, "y")
	switch {
	case n == 1:
		return fmt.Sprintf("%d %s", n, noun)
	case ends:
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
