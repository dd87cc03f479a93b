package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/limit"
)

// A GET writes the audit trail, sessions and, at first sign-in, people: nothing else. Every GET of the route table is
// asked by everybody, with ids that exist and with one that does not, and all other tables stay as they were.
func TestGetHasNoEffect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	signed, waiting := s.world.Approved(t, s.world.Patient, "email"), s.world.Submitted(t, s.world.Patient, "sms")
	token := strings.Repeat("x", 43)
	before := s.tables(t)
	asked := 0
	for _, who := range []clinic.Actor{s.world.Doctor, s.world.Staff, s.world.Admin, s.world.Ops} {
		v := s.as(t, who)
		for _, r := range s.routes() {
			if r.method != http.MethodGet || r.path == pathEvents {
				continue
			}
			for _, id := range []uuid.UUID{signed, waiting, s.world.Patient, uuid.Must(uuid.NewV7())} {
				path := strings.NewReplacer(":id", id.String(), ":token", token, "/*", "/x").Replace(r.path)
				s.cfg.Limits = limit.New(nil, nil) // so many at once would be refused, and a refusal has no effect
				for _, query := range []string{"", "?edit=1&patient=" + s.world.Patient.String() + "&from=1&to=1", "?return=1"} {
					v.get(path + query)
					asked++
				}
			}
		}
	}
	if after := s.tables(t); after != before {
		t.Errorf("one of %d GETs changed something:\n%s\n%s", asked, before, after)
	}
}

// tables is a digest of every table but those that a GET may write.
func (s *site) tables(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, table := range s.world.Strings(t, `SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'
		AND tablename NOT LIKE 'audit_%' AND tablename NOT IN ('sessions', 'staff') ORDER BY 1`) {
		b.WriteString(table + " " + s.world.Strings(t, "SELECT coalesce(md5(string_agg(x::text, '' ORDER BY x::text)), '') FROM "+table+" x")[0] + "\n")
	}
	return b.String()
}
