package web

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// An administrator chooses how old a sign-in may be; what is not to be chosen, and a form that says nothing, change nothing.
func TestSecurityEdit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Admin)
	v.wants(v.get("/security"), 200, "Now 4 hours.", `<option value="0" selected>as this installation has it: 4 hours`, `<option value="720">12 hours`)
	v.goes(v.post("/security/edit", "sign_fresh", "30"), "/security")
	v.wants(v.get("/security"), 200, "Saved. It holds from the next signature on.", "Now 30 minutes.", `<option value="30" selected>`)
	for _, wrong := range [][]string{nil, {"sign_fresh", ""}, {"sign_fresh", "14"}, {"sign_fresh", "721"}, {"sign_fresh", "999999999"}} {
		v.wants(v.post("/security/edit", wrong...), http.StatusUnprocessableEntity, "between 15 minutes and 12 hours", "Now 30 minutes.")
	}
	if err := s.world.Clinic.SecurityEdit(ctx(), s.world.Admin, 45*time.Minute); err != nil {
		t.Fatal(err)
	}
	v.wants(v.get("/security"), 200, `<option value="45" selected>45 minutes`)
	v.goes(v.post("/security/edit", "sign_fresh", "0"), "/security")
	v.wants(v.get("/security"), 200, "Now 4 hours.")
	doctor := s.as(t, s.world.Doctor)
	if got := doctor.post("/security/edit", "sign_fresh", "720"); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "Your role does not include") {
		t.Errorf("a doctor is answered %d", got.Code)
	}
}
