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

// The lists show a record that cannot be opened in words, its page says why, and the record beside it is there.
func TestAClosedRecordOnTheScreens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	closed := s.world.AddPatient(t, s.world.Staff, "Olga Nowak", "1980-02-03", "30771")
	s.world.LoseKey(t, closed)
	v := s.as(t, s.world.Staff)
	list := v.get("/patients")
	v.wants(list, http.StatusOK, "Rosa Delgado", "A record that cannot be opened at the moment", "/patients/"+closed.String(), `data-label="Age"></td>`)
	v.wants(v.post("/patients/search", "term", "nowak"), http.StatusOK, "0 patients found. 1 record of your care cannot be opened at the moment, and so not be found by name")
	v.wants(v.post("/patients/search", "term", "delgado"), http.StatusOK, "Rosa Delgado", "1 record of your care")
	v.wants(v.get("/patients/"+closed.String()), http.StatusServiceUnavailable, "cannot be opened at the moment", "Nothing is lost")
	for _, got := range []string{list.Body.String(), v.get("/").Body.String()} {
		if strings.Contains(got, "Nowak") || strings.Contains(got, "30771") {
			t.Error("what cannot be opened is on a page")
		}
	}
}
