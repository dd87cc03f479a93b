package config

import "testing"

func TestLoadRefusesEachFaultOfAlerts(t *testing.T) {
	t.Parallel()
	hooked := func(secret string) func(t *testing.T) map[string]string {
		return func(t *testing.T) map[string]string {
			all := production(t)
			all["ALERT_WEBHOOK_URL"], all["ALERT_WEBHOOK_SECRET"] = "https://pager.riverside-care.org/hook", secret
			return all
		}
	}
	good := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	if _, err := Load(from(hooked(good)(t))); err != nil {
		t.Fatal(err)
	}
	refuse(t, map[string]fault{
		"no address":           {local, "ALERT_EMAIL", "operators", "an e-mail address"},
		"a name too":           {local, "ALERT_EMAIL", "Ops <ops@riverside.example>", "an e-mail address"},
		"plain webhook":        {hooked(good), "ALERT_WEBHOOK_URL", "http://pager.riverside-care.org/", "https"},
		"near webhook":         {hooked(good), "ALERT_WEBHOOK_URL", "https://10.0.0.7/", "outside this network"},
		"no webhook":           {hooked(good), "ALERT_WEBHOOK_URL", "pager", "begins with https://"},
		"no secret":            {hooked(good), "ALERT_WEBHOOK_SECRET", "", "whsec_"},
		"short secret":         {hooked(good), "ALERT_WEBHOOK_SECRET", "whsec_c2hvcnQ=", "24 to 64 bytes"},
		"near heartbeat":       {production, "HEARTBEAT_URL", "https://localhost/beat", "outside this network"},
		"often":                {local, "ALERT_REPEAT", "1m", "between 5m and 168h"},
		"a rule of nobody's":   {local, "ALERT_OFF", "backup_age,moon_phase", "moon_phase"},
		"more than all traces": {local, "SENTRY_TRACES", "1.5", "between 0 and 1"},
		"some traces":          {local, "SENTRY_TRACES", "some", "a number"},
		"no evaluations":       {local, "TIME_ALERT_EVERY", "0s", "longer than nothing"},
	})
}
