package config

import "testing"

// What each stage tells, banner and refusals aside: the table of docs/DEPLOYMENT.md.
func TestLogLevelByStage(t *testing.T) {
	t.Parallel()
	for want, start := range map[string]func(*testing.T) map[string]string{"info": staging, "notice": production} {
		if c, err := Load(from(start(t))); err != nil || c.LogLevel != want {
			t.Errorf("want %s: %v %v", want, c, err)
		}
	}
	for _, start := range []func(*testing.T) map[string]string{local, dev} {
		environ := start(t)
		c, err := Load(from(environ))
		if err != nil || c.LogLevel != "debug" {
			t.Errorf("%s: %v", environ["APP_ENV"], err)
		}
		environ["LOG_LEVEL"] = "warn"
		if c, err := Load(from(environ)); err != nil || c.LogLevel != "warn" {
			t.Errorf("%s: LOG_LEVEL is not the last word: %v", environ["APP_ENV"], err)
		}
	}
}

// dev is shared: it may name a sandbox that all of it reaches, plain http and private networks included, and none that stands
// on one machine.
func TestDevRefusesASandboxOfOneMachine(t *testing.T) {
	t.Parallel()
	refuse(t, map[string]fault{
		"mail":             {dev, "SENDGRID_BASE_URL", "http://localhost:8090", "points at this machine"},
		"text":             {dev, "TWILIO_BASE_URL", "http://127.0.0.1:8090", "points at this machine"},
		"model":            {dev, "OPENAI_BASE_URL", "http://[::1]:8090/v1", "points at this machine"},
		"model, short":     {dev, "OPENAI_BASE_URL", "http://127.1:8090/v1", "points at this machine"},
		"mail, mapped":     {dev, "SENDGRID_BASE_URL", "http://[::ffff:127.0.0.1]:8090", "points at this machine"},
		"mail, by name":    {dev, "SENDGRID_BASE_URL", "http://sandbox.localhost:8090", "points at this machine"},
		"sign-in":          {dev, "ACCESS_ISSUER", "http://localhost:8090", "points at this machine"},
		"the base":         {dev, "BASE_URL", "http://localhost:8080", "points at this machine"},
		"the base unsaid":  {dev, "BASE_URL", "", "points at this machine"},
		"any address here": {dev, "TWILIO_BASE_URL", "http://0.0.0.0:8090", "points at this machine"},
	})
	for _, shared := range []string{"http://sandbox:8090", "http://10.2.3.4:8090", "https://sandbox.riverside-clinic.org"} {
		environ := dev(t)
		environ["SENDGRID_BASE_URL"] = shared
		if _, err := Load(from(environ)); err != nil {
			t.Errorf("dev refuses a shared sandbox at %s: %v", shared, err)
		}
	}
}
