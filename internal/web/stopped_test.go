package web

import (
	"net/http"
	"strings"
	"testing"

	"countersign/internal/clinic"
)

// While nothing may be sent every page of people says so, and what to do; strangers and patients are told nothing.
func TestStoppedIsOnEveryPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Fence = func() string { return "held" } })
	doctor, stranger := s.as(t, s.world.Doctor), s.visitor(t)
	message := s.world.Submitted(t, s.world.Patient, "email")
	pages := []string{"/", "/reviews", "/patients", "/patients/new", "/patients/" + s.world.Patient.String(), "/briefs/new?patient=" + s.world.Patient.String(),
		"/reviews/" + message.String(), "/messages/" + message.String(), "/settings"}
	says := func(body string) bool {
		return strings.Contains(body, `id="stopped"`) && strings.Contains(body, "Sending is stopped.") && strings.Contains(body, "countersign reconcile")
	}
	if says(doctor.get("/").Body.String()) {
		t.Error("a page says so before it is so")
	}
	seen, err := s.world.Clinic.InstanceSee(ctx())
	if err == nil {
		err = s.world.Clinic.InstanceHold(ctx(), clinic.WorkerActor("fence"), seen, clinic.HeldBehind, 9)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range append(pages, "/nowhere") {
		answer := doctor.get(address)
		if !says(answer.Body.String()) {
			t.Errorf("%s: %d, and does not say that sending is stopped", address, answer.Code)
		}
	}
	for _, address := range []string{"/sign-in", "/m/abc", "/m/abc/stop"} {
		if body := stranger.get(address).Body.String(); says(body) || strings.Contains(body, "stopped") {
			t.Errorf("%s tells a stranger", address)
		}
	}
	if answer := stranger.get("/readyz"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `"fence":"held"`) {
		t.Errorf("readyz: %d %s", answer.Code, answer.Body)
	}
}
