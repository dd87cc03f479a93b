package web

import (
	"strings"
	"testing"
)

// On *People* an administrator switches somebody off, and on again; both count at once.
func TestStaffOffAndOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	admin, staff := s.as(t, w.Admin), s.as(t, w.Staff)
	path := "/staff/" + w.Staff.ID.String()
	if page := admin.get("/staff").Body.String(); strings.Contains(page, "/enable") || !strings.Contains(page, path+"/disable") {
		t.Error("who is on can be switched on")
	}
	admin.goes(admin.post(path+"/disable"), "/staff")
	staff.goes(staff.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	page := admin.get("/staff")
	admin.wants(page, 200, "switched off", `action="`+path+`/enable"`, "as staff, with the same patients")
	if strings.Contains(page.Body.String(), path+"/disable") || strings.Contains(page.Body.String(), path+"/assign") {
		t.Error("who is off can be switched off, or given a role")
	}
	staff.wants(staff.post(path+"/enable"), 401)
	admin.goes(admin.post(path+"/enable"), "/staff")
	admin.wants(admin.get("/staff"), 200, "Switched on again. They sign in anew.", path+"/disable")
	staff.goes(staff.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	back := s.as(t, w.Staff)
	back.wants(back.get("/patients"), 200, "Rosa Delgado")
}
