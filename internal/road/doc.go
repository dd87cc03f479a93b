// Package road walks the main road as its people do: the joined house with its real web and worker, a Postgres and a
// Redis of its own, the sandbox as the outside, and a real browser. It holds tests only.
//
// ROAD_SHOTS=folder keeps a picture of every page that a test passes.
package road
