package app

import (
	"context"
	"time"

	"countersign/internal/figures"
	"countersign/internal/worker"
)

// webFigures are what a web process tells: what it counted, that it serves, and how well it is guarded.
func (a *App) webFigures() *figures.Recorder {
	cfg := a.figures()
	cfg.Beats = true
	cfg.Score = func(ctx context.Context) (int, error) {
		seen, err := a.clinic.GuardsSee(ctx)
		if err != nil {
			return 0, err
		}
		return a.score(ctx, seen).Percent(), nil
	}
	return figures.New(cfg)
}

// workerFigures are what a worker tells: what it counted, and, of one worker at a time, whether the web answers. It is a job of w.
func (a *App) workerFigures(w *worker.Worker) *figures.Recorder {
	cfg := a.figures()
	cfg.Ran = func(ctx context.Context, began time.Time, code string) {
		w.Ran(ctx, "figures", cfg.Every, began, code)
	}
	cfg.Ready = figures.Probe(a.cfg.ProbeURL)
	return figures.New(cfg)
}

func (a *App) figures() figures.Config {
	return figures.Config{Clinic: a.clinic, Metrics: a.metrics, Every: a.cfg.Times.FiguresEvery, Log: a.log,
		Announce: func(ctx context.Context, names []string) { _ = a.hub.Publish(ctx, names) }} // pages ask by themselves without it
}
