package local

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// heartbeat is how often a long step says that it is still alive.
const heartbeat = 5 * time.Second

// longestLine bounds what one log line may hold, in bytes, before it is broken.
const longestLine = 64 << 10

// palette holds the ANSI colours given to labels in the order in which they first speak.
var palette = []string{"36", "33", "35", "32", "34", "96", "93", "95"}

// Console writes whole lines, each behind the label of who says it. It is safe for use by many goroutines.
type Console struct {
	mu      sync.Mutex
	out     io.Writer
	colours bool
	given   map[string]string
}

// NewConsole writes to out, in colour only if out is a terminal and the environment does not refuse (NO_COLOR, TERM=dumb).
func NewConsole(out io.Writer, env *Environment) *Console {
	colours := isTerminal(out) && env.Get("NO_COLOR") == "" && env.Get("TERM") != "dumb"
	return &Console{out: out, colours: colours, given: map[string]string{}}
}

// isTerminal tells a terminal from a file, a pipe and the null device.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(info, null)
}

// Say writes one line of our own.
func (c *Console) Say(format string, args ...any) { c.line("local", fmt.Sprintf(format, args...)) }

// Block writes text as it stands, without labels.
func (c *Console) Block(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.out, text)
}

func (c *Console) line(label, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	prefix := fmt.Sprintf("%-8s | ", label)
	if c.colours {
		colour, ok := c.given[label]
		if !ok {
			colour = palette[len(c.given)%len(palette)]
			c.given[label] = colour
		}
		prefix = "\x1b[" + colour + "m" + prefix + "\x1b[0m"
	}
	// A reader that went away (a closed pipe) must not take the children down with it: the error is of no use to anyone.
	_, _ = io.WriteString(c.out, prefix+text+"\n")
}

// Writer returns a stream whose lines appear behind label.
func (c *Console) Writer(label string) *Lines {
	return &Lines{each: func(text string) { c.line(label, text) }}
}

// Lines cuts a stream into lines and hands each on without its line end. Close hands on an unfinished last line.
type Lines struct {
	mu   sync.Mutex
	rest []byte
	each func(string)
}

// Write never fails.
func (w *Lines) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 && len(w.rest) < longestLine {
			return len(p), nil
		}
		next := end + 1
		if end < 0 {
			end, next = longestLine, longestLine
		}
		w.each(string(bytes.TrimRight(w.rest[:end], "\r")))
		w.rest = w.rest[next:]
	}
}

// Close hands on what is left.
func (w *Lines) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) > 0 {
		w.each(string(w.rest))
		w.rest = nil
	}
	return nil
}

// Step is one long piece of work: it says when it begins, every few seconds how it stands, and how it ended.
type Step struct {
	console *Console
	label   string
	started time.Time
	stop    chan struct{}
	stopped sync.WaitGroup

	mu   sync.Mutex
	note string
}

// Begin starts a step. Every step must be ended.
func (c *Console) Begin(label, what string) *Step {
	s := &Step{console: c, label: label, started: time.Now(), stop: make(chan struct{})}
	c.line(label, what)
	s.stopped.Go(s.beat)
	return s
}

func (s *Step) beat() {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.mu.Lock()
			note := s.note
			s.mu.Unlock()
			s.console.line(s.label, fmt.Sprintf("%4.0fs  %s", time.Since(s.started).Seconds(), note))
		}
	}
}

// Note says what the step is at; it is shown with the next heartbeat.
func (s *Step) Note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note = fmt.Sprintf(format, args...)
}

// End finishes the step with one line and returns err as it came.
func (s *Step) End(err error) error {
	close(s.stop)
	s.stopped.Wait()
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	s.console.line(s.label, fmt.Sprintf("%4.1fs  %s", time.Since(s.started).Seconds(), outcome))
	return err
}
