package app

import (
	"context"
	"errors"
	"strings"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/config"
)

// The demo clinic is whole, made by deeds, and a second seed changes nothing, whatever people have done since.
func TestSeed(t *testing.T) {
	t.Parallel()
	ctx, cfg := context.Background(), empty(t)
	if err := Seed(ctx, cfg, &strings.Builder{}); err == nil {
		t.Error("a database without a schema was seeded")
	}
	if err := Migrate(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	if err := Seed(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	db := connect(t, cfg.DatabaseURL.Reveal())
	for sql, want := range map[string]int{
		"SELECT count(*) FROM patients": 25,
		"SELECT count(*) FROM staff WHERE role IS NOT NULL AND issuer = 'http://issuer.test'":                       8,
		"SELECT count(DISTINCT status) FROM messages":                                                               6,
		"SELECT count(*) FROM deliveries WHERE state = 'queued'":                                                    6,
		"SELECT count(*) FROM deliveries WHERE state = 'cancelled'":                                                 1,
		"SELECT count(*) FROM patients p WHERE (SELECT count(*) FROM care_team c WHERE c.patient_id = p.id) < 2":    0,
		"SELECT count(DISTINCT staff_id) FROM care_team":                                                            5,
		"SELECT count(*) FROM consents WHERE status = 'out'":                                                        1,
		"SELECT count(*) FROM drafts WHERE source = 'model'":                                                        0,
		"SELECT count(*) FROM messages m WHERE NOT EXISTS (SELECT 1 FROM audit_events a WHERE a.subject_id = m.id)": 0,
		"SELECT count(*) FROM patients p WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.patient_id = p.id)":     0,
		"SELECT count(*) FROM reviews WHERE state = 'open'":                                                         5,
		"SELECT count(*) FROM messages WHERE status = 'in_review' AND priority = 3":                                 1,
		"SELECT count(*) FROM messages WHERE status = 'in_review' AND open_findings > 0":                            2,
		"SELECT count(*) FROM doctor_settings":                                                                      2,
		"SELECT count(*) FROM messages m JOIN deliveries d ON d.message_id = m.id WHERE d.channel <> m.channel":     0,
	} {
		if got := number(t, db, sql); got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
	must(t, db, "UPDATE staff SET role = 'staff' WHERE subject = 'helen-marsh'") // as an administrator may have, since
	before := number(t, db, "SELECT count(*) FROM audit_events")
	var out strings.Builder
	if err := Seed(ctx, cfg, &out); err != nil || !strings.Contains(out.String(), "nothing was changed") {
		t.Errorf("%v: %s", err, out.String())
	}
	if n := number(t, db, "SELECT count(*) FROM audit_events"); n != before || number(t, db, "SELECT count(*) FROM staff WHERE subject = 'helen-marsh' AND role = 'staff'") != 1 {
		t.Errorf("%d events before, %d after", before, n)
	}
	cfg.Env = config.Production
	if err := Seed(ctx, cfg, &out); err == nil {
		t.Error("production was seeded")
	}
}

// A seed that broke off in the middle goes on where it was.
func TestSeedGoesOn(t *testing.T) {
	t.Parallel()
	ctx, cfg := context.Background(), empty(t)
	if err := Migrate(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	if err := Seed(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	db := connect(t, cfg.DatabaseURL.Reveal())
	must(t, connect(t, cfg.MigrateDatabaseURL.Reveal()), "DELETE FROM doctor_settings") // the sign that it is whole
	if err := Seed(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	if number(t, db, "SELECT count(*) FROM patients") != 25 || number(t, db, "SELECT count(*) FROM deliveries") != 7 || number(t, db, "SELECT count(*) FROM doctor_settings") != 2 {
		t.Error("it was not the same clinic")
	}
}

// The operator's people: a role given before the first sign-in, changed, and listed.
func TestPeople(t *testing.T) {
	t.Parallel()
	ctx, cfg := context.Background(), empty(t)
	if err := Migrate(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPeople(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.List(ctx); err == nil || !strings.Contains(err.Error(), "clinic create") {
		t.Errorf("people of no clinic were listed: %v", err)
	}
	if err := Seed(ctx, cfg, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(ctx, clinic.Member{Subject: "new-nurse", Name: "Nora Quist", Email: "nora@riverside.example", Role: clinic.Staff}); err != nil {
		t.Fatal(err)
	}
	who, err := p.Find(ctx, "nora@riverside.example")
	if err != nil || who.Name != "Nora Quist" {
		t.Errorf("%v %v", who, err)
	}
	who.Role = clinic.Reviewer
	if err := errors.Join(p.Add(ctx, who), p.SwitchOff(ctx, who)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(p.SwitchOn(ctx, who), p.SwitchOn(ctx, who), p.SwitchOff(ctx, who)); err != nil {
		t.Error(err)
	}
	if _, err := p.Find(ctx, "nobody"); err == nil {
		t.Error("nobody was found")
	}
	if err := p.Add(ctx, clinic.Member{Subject: "x", Name: "X", Role: "emperor"}); err == nil || !strings.Contains(err.Error(), "role") {
		t.Errorf("got %v", err)
	}
	people, err := p.List(ctx)
	if err != nil || len(people) != 9 {
		t.Fatalf("%v: %d people", err, len(people))
	}
	for _, one := range people {
		if one.Subject == "new-nurse" && (one.Role != clinic.Reviewer || !one.Disabled) {
			t.Errorf("got %+v", one)
		}
	}
}
