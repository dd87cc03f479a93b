// Package crash is the crash matrix of ARCHITECTURE as tests: real web and worker processes, built with the tag
// faultpoints, are killed (SIGKILL) or frozen (SIGSTOP) at a named moment, each with each kind of answer that a provider
// gives, and a second, healthy process recovers. Nothing is lost, nothing is doubled, and what nobody knows is said to a
// person. It holds tests only.
package crash
