//go:build !faultpoints

package faultpoint

// Reach marks a moment at which a test build may be killed or frozen.
func Reach(_, _ string) {}

// Seeded says whether a seeded fault is on: never, in this build.
func Seeded(string) bool { return false }
