package chaos

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// Each thing that is planted is found in the middle of other text, as it is, in another case and as the digits of a
// bytea, and a page's secret wherever it stands in a longer word.
func TestSearchFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	one := newPatient(5)
	token := strings.Repeat("aB3_-", 8) + "xyz"
	p := (&scene{houses: []*house{{patients: []*patient{one}}}}).planted([]Accepted{{Body: "Read it: http://localhost:8080/m/" + token + " Reply"}})
	for kind, text := range map[string]string{"name": one.name, "e-mail address": one.email, "phone number": one.phone, "record number": one.mrn,
		"date of birth": "1945-06-06", "letter": openingHours, "inquiry": inquiry} {
		for _, said := range []string{text, strings.ToUpper(text)} {
			if found := p.search("a log", []byte(`{"msg":"x `+said+` y"}`)).Found; !slices.Equal(found, []string{kind}) {
				t.Errorf("%q: %v, want %s", said, found, kind)
			}
		}
		if found := p.search("a log", []byte(`\x00`+hex.EncodeToString([]byte(text))+"ff")).Found; !slices.Equal(found, []string{kind + " in hex"}) {
			t.Errorf("%q in hex: %v", text, found)
		}
	}
	for _, said := range []string{"/m/" + token + "/read", "q" + token + "q", token} {
		if found := p.search("a log", []byte(said)).Found; !slices.Equal(found, []string{"page's secret"}) {
			t.Errorf("%q: %v", said, found)
		}
	}
	if s := p.search("a log", []byte("GET /m/:token 200 "+strings.ToLower(token))); s.Found != nil || s.Bytes == 0 {
		t.Errorf("nothing is there, and %v is found", s.Found)
	}
}
