package web

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// A record number and an address are asked for by a form, and stand in no address of the answer, its title or its file's name.
func TestAuditTermsStayOutOfAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.trail(t, 200)
	v := s.as(t, s.world.Auditor)
	for name, fields := range map[string][]string{"record": {"mrn", "20441"}, "address": {"address", "198.51.100.7"}} {
		got := v.post("/audit/search", fields...)
		v.wants(got, http.StatusOK, "Audit trail")
		for _, place := range regexp.MustCompile(`(?s)(href|action|formaction|hx-get)="[^"]*"|<title>.*?</title>`).FindAllString(got.Body.String(), -1) {
			if strings.Contains(place, fields[1]) {
				t.Errorf("%s: the term stands in %s", name, place)
			}
		}
	}
	got := v.post("/audit/search", "address", "198.51.100.7")
	v.wants(got, http.StatusOK, `name="address" value="198.51.100.7"`, "Show the next ones")
	got = v.post("/audit/export", "format", "csv", "patient", s.world.Patient.String(), "address", "198.51.100.7")
	if name := got.Header().Get("Content-Disposition"); !regexp.MustCompile(`^attachment; filename=audit-trail-\d{4}-\d\d-\d\d-[0-9a-f]{8}\.csv$`).MatchString(name) {
		t.Errorf("the file is called %q", name)
	}
	if strings.Contains(s.log.String(), "20441") || strings.Contains(s.log.String(), "198.51.100.7\"") && strings.Contains(s.log.String(), "address=") {
		t.Error("the log holds a term")
	}
}

// What is no day, address or record number comes back with a sentence beside it, also to who wanted an export.
func TestAuditMistakes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Auditor)
	for path, more := range map[string][]string{"/audit/search": {"mrn", "99999"}, "/audit/export": {"format", "csv"}} {
		got := v.post(path, append(more, "from", "25.11.2026", "address", "somewhere")...)
		v.wants(got, http.StatusUnprocessableEntity, "Please give the day as year-month-day", "This is no address", `value="25.11.2026"`)
	}
	v.wants(v.post("/audit/search", "mrn", "99999"), http.StatusUnprocessableEntity, "No patient of this clinic has this MRN")
	v.wants(v.get("/audit?from=never"), http.StatusUnprocessableEntity, "Please give the day as year-month-day")
	v.wants(v.get("/audit?deed=keys.rotate"), http.StatusOK, "Nothing like that is on the trail")
}

// A table's cells run no formulas in any spreadsheet, and come back as they were.
func TestAuditExportTable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	evil := []string{`=HYPERLINK("http://evil.example";"x")`, "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", `quoted "=1", and a comma`}
	for i, name := range evil {
		a := clinic.Nobody("192.0.2.9", name, "")
		a.ClinicID = w.ClinicID
		w.Clinic.Refused(ctx(), a, clinic.SessionOpen, "signature")
		_, err := w.Clinic.StaffPut(ctx(), w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: w.Issuer, Subject: "evil" + string(rune('a'+i)), Name: name, Role: clinic.Staff})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Clock.Add(time.Second)
	v := s.as(t, w.Auditor)
	got := v.post("/audit/export", "format", "csv", "address", "192.0.2.9")
	v.wants(got, http.StatusOK)
	rows, err := csv.NewReader(got.Body).ReadAll()
	if err != nil || len(rows) != len(evil)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	agents := map[string]bool{}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
				t.Errorf("a cell that runs: %q", cell)
			}
		}
		agents[strings.TrimPrefix(row[14], "'")] = true
	}
	for _, agent := range evil {
		if !agents[agent] && !agents[strings.ReplaceAll(agent, "\r", "\n")] {
			t.Errorf("%q is not there: %v", agent, agents)
		}
	}
}

// Lines of JSON hold the bytes that the ledger seals, as they are, between a first line and a last one that counts.
func TestAuditExportLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	w.Clock.Add(time.Second)
	v := s.as(t, w.Auditor)
	got := v.post("/audit/export", "format", "json", "outcome", "done")
	v.wants(got, http.StatusOK)
	recs := map[string]bool{}
	for _, rec := range w.Strings(t, "SELECT convert_from(rec, 'UTF8') FROM audit_events") {
		recs[rec] = true
	}
	lines := strings.Split(strings.TrimSpace(got.Body.String()), "\n")
	for i, line := range lines[1 : len(lines)-1] {
		if rec, ok := strings.CutPrefix(line, `{"event":`); !ok || !recs[strings.TrimSuffix(rec, "}")] {
			t.Errorf("line %d holds other bytes than the ledger: %s", i, line)
		}
	}
	var end struct {
		End    bool
		Events int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || !end.End || end.Events != len(lines)-2 || end.Events == 0 {
		t.Errorf("the last line is %s", lines[len(lines)-1])
	}
	report := v.post("/audit/export", "format", "report", "outcome", "done")
	v.wants(report, http.StatusOK, "End of the report: ", "added a patient", "Tom Reyes", "</html>")
	if strings.Contains(report.Body.String(), "Delgado") {
		t.Error("the report names a patient")
	}
}

// An export that breaks in the middle is an answer without an end: nobody takes a part for the whole.
func TestAuditExportBreaks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.trail(t, 60_000)
	v := s.as(t, s.world.Auditor)
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/audit/export", strings.NewReader(url.Values{"format": {"csv"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost:8080"
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", got, err)
	}
	defer got.Body.Close()
	body := bufio.NewReader(got.Body)
	if _, err := body.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Exec(t, "ALTER TABLE audit_events RENAME TO audit_events_away"); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	if _, err := io.Copy(&rest, body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after %d bytes: %v", rest.Len(), err)
	}
}

// week is an access review that waits to be signed off.
func (s *site) week(t testing.TB) (id string) {
	t.Helper()
	id = uuid.Must(uuid.NewV7()).String()
	if err := s.world.Exec(t, "INSERT INTO access_reviews (id, clinic_id, since, until, made_at, facts) VALUES ($1, $2, 'epoch', 'epoch', now(), '{}')", id, s.world.ClinicID); err != nil {
		t.Fatal(err)
	}
	return id
}

// trail puts n made-up events on the trail, from two addresses, in the last hours.
func (s *site) trail(t testing.TB, n int) {
	t.Helper()
	err := s.world.Exec(t, `WITH off AS (SELECT set_config('session_replication_role', 'replica', true) AS x)
		INSERT INTO audit_events (id, at, clinic_id, actor_kind, role, deed, subject_kind, patient_id, outcome, ip, agent, request_id, rec)
		SELECT gen_random_uuid(), $1::timestamptz - i * interval '1 second', $2, 'person', 'staff', 'patient.show', 'patient', $3, 'done', '198.51.100.' || 7 + i % 2, repeat('a browser ', 20), '', '{}'
		FROM off, generate_series(1, $4) i`, s.world.Clock.Now(), s.world.ClinicID, s.world.Patient, n)
	if err != nil {
		t.Fatal(err)
	}
}

// The pages of the trail, as an auditor sees them: an event with its proof and the file of it, who has seen a patient, the accounting.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	var sealing *clinic.Clinic
	s := newSite(t, func(c *Config) {})
	sealing = s.world.Again(t, clinictest.Sealing(key, known))
	s.cfg.Clinic = sealing
	v := s.as(t, s.world.Auditor)
	id := s.world.Strings(t, "SELECT id::text FROM audit_events WHERE deed = 'patient.create' LIMIT 1")[0]
	v.wants(v.get("/audit/"+id), http.StatusOK, "waits to be sealed")
	v.wants(v.get("/audit/"+id+"/proof"), http.StatusConflict, "not sealed yet")
	if _, err := sealing.LedgerSeal(ctx()); err != nil {
		t.Fatal(err)
	}
	v.wants(v.get("/audit/"+id), http.StatusOK, "proved now", "added a patient", "Tom Reyes", "Download the proof")
	file := v.get("/audit/" + id + "/proof")
	v.wants(file, http.StatusOK, `"checkpoint":`, `"path":`)
	if name := file.Header().Get("Content-Disposition"); !strings.HasPrefix(name, "attachment; filename=proof-of-leaf-") {
		t.Errorf("the proof is called %q", name)
	}
	patient := "/patients/" + s.world.Patient.String()
	v.wants(v.get(patient+"/audit"), http.StatusOK, "Tom Reyes", "care team")
	v.wants(v.get(patient+"/disclosures"), http.StatusOK, "Nothing was disclosed", "164.528")
	v.wants(v.get("/audit/verify"), http.StatusOK, "Nobody has verified it here yet", "Verify now")
	v.goes(v.post("/audit/verify"), "/audit/verify")
	v.wants(v.get("/audit/verify"), http.StatusOK, "Waiting for a worker")
	if _, err := sealing.AuditRun(ctx(), clinic.WorkerActor("test"), nil); err != nil {
		t.Fatal(err)
	}
	v.wants(v.get("/audit/verify"), http.StatusOK, "Clean", "No root is kept outside")
}

// Once an administrator has an access review to sign off, their pages say so.
func TestAccessPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	w.Clock.Add(8 * 24 * time.Hour)
	if _, err := w.Clinic.AccessMake(ctx(), clinic.WorkerActor("test")); err != nil {
		t.Fatal(err)
	}
	id := w.Strings(t, "SELECT id::text FROM access_reviews")[0]
	w.Clock.Add(8 * 24 * time.Hour)
	v := s.as(t, w.Admin)
	v.wants(v.get("/"), http.StatusOK, "An access review has waited for more than a week", "Access reviews to sign off", "overdue")
	v.wants(v.get("/access"), http.StatusOK, "overdue")
	v.wants(v.get("/access/"+id), http.StatusOK, "Tom Reyes", "Changed roles")
	v.wants(v.post("/access/"+id+"/sign", "note", ""), http.StatusUnprocessableEntity, "The note is missing.")
	v.goes(v.post("/access/"+id+"/sign", "note", "All known."), "/access")
	v.wants(v.get("/access/"+id), http.StatusOK, "All known.", "Ruth Ebbing")
	v.wants(v.post("/access/"+id+"/sign", "note", "Again."), http.StatusConflict, "signed this review off a moment ago")
}
