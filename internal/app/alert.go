package app

import (
	"context"
	"encoding/json"

	"countersign/internal/clinic"
	"countersign/internal/hook"
	"countersign/internal/logging"
	"countersign/internal/worker"
)

// alerts joins the rules' evaluation to the ways by which people are told: those that are set.
func (a *App) alerts() (worker.Alerts, error) {
	out := worker.Alerts{Every: a.cfg.Times.AlertEvery, Repeat: a.cfg.Alert.Repeat, Off: a.cfg.Alert.Off, Tell: map[string]func(context.Context, clinic.AlertNotice) string{}}
	if a.cfg.SentryDSN != "" {
		out.Tell["sentry"] = a.tellSentry
	}
	if a.cfg.Alert.Email != "" {
		out.Tell["email"] = a.tellByMail
	}
	if a.cfg.Alert.WebhookURL != "" {
		caller, err := hook.New(a.cfg.Alert.WebhookURL.Reveal(), a.cfg.Alert.WebhookSecret.Reveal())
		if err != nil {
			return out, err
		}
		out.Tell["webhook"] = func(ctx context.Context, n clinic.AlertNotice) string {
			body, err := json.Marshal(n.Event(a.cfg.BaseURL))
			if err == nil {
				err = caller.Post(ctx, n.ID, body)
			}
			return codeOf(err)
		}
	}
	if a.cfg.HeartbeatURL != "" {
		caller, err := hook.New(a.cfg.HeartbeatURL.Reveal(), "")
		if err != nil {
			return out, err
		}
		out.Heartbeat = caller.Beat
	}
	return out, nil
}

// tellSentry reports the rule's code and what happened to it. Sentry has its own ways to people.
func (a *App) tellSentry(ctx context.Context, n clinic.AlertNotice) string {
	logging.Capture(logging.WithTags(ctx, map[string]string{"code": n.Rule.Name, "task": "alert." + n.Kind}), alarm("alert "+n.Kind+": "+n.Rule.Name))
	return ""
}

func (a *App) tellByMail(ctx context.Context, n clinic.AlertNotice) string {
	subject, text := n.Letter(a.cfg.BaseURL, string(a.cfg.Env))
	if out := a.sendgrid.Letter(ctx, n.ID, a.cfg.Alert.Email, subject, text); out.Class != clinic.OutcomeAccepted {
		return out.Code
	}
	return ""
}

// codeOf is an error of package hook as its code.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// trace is logging's, as web and worker take it.
func trace(ctx context.Context, op string) (context.Context, func(name string, status, queries int)) {
	return logging.Trace(ctx, op)
}
