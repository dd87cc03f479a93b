package main

import (
	"context"
	"math/rand/v2"
	"os"
	"time"

	"countersign/internal/chaos"
)

type chaosCmd struct {
	For       time.Duration `default:"60s" help:"How long the faults last."`
	Seed      uint64        `help:"Of the schedule of faults; a new one unless given. The same seed and length give the same schedule."`
	Rate      int           `default:"30" help:"Approvals a second that the doctors aim at."`
	Break     string        `enum:",fence,relay,class,audit,fold" default:"" help:"Seed a fault into the product, to see that the checker notices: fence, relay, class, audit or fold. Builds bin/faulty first."`
	RealTimes bool          `help:"The product's own clocks in place of short ones. What is unknown then waits a quarter of an hour for evidence, so that coming to rest takes up to 22 minutes."`
	Bin       string        `help:"The folder of the programs; the checkout's bin unless given."`
	Keep      bool          `help:"Leave the logs and the report even when everything held."`
}

// Run is one run. Exit code 1 means that something did not hold; where the evidence lies is said.
func (c chaosCmd) Run(ctx context.Context) error {
	o := chaos.Options{For: c.For, Seed: c.Seed, Rate: c.Rate, Break: c.Break, Keep: c.Keep, Build: c.Break != "" && c.Bin == "", Bin: c.Bin, Out: os.Stdout, Environ: os.Environ()}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000_000)
	}
	if c.RealTimes {
		o.Times = chaos.RealTimes
	}
	_, err := chaos.Run(ctx, o)
	return err
}
