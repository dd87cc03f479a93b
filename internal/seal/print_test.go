package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"strings"
	"testing"
	texttemplate "text/template"

	"github.com/google/uuid"
)

// holder has each secret thing by value, by pointer and in containers.
type holder struct {
	Value any
	Text  Text
	Texts []Text
	Named map[string]Text
	Bytes Sealed
	Ptr   *Sealed
	Key   Key
	Ring  *Keyring
}

func plant(t *testing.T) (holder, []string) {
	t.Helper()
	ring, text := openKeyring(t)
	key := patientKey(t, ring)
	sealed, err := key.Seal(marked, Place{"drafts", "body", uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	h := holder{Text(marked), marked, []Text{marked}, map[string]Text{"a": marked}, sealed, &sealed, key, ring}
	var forbidden []string
	for _, secret := range [][]byte{[]byte(marked), sealed, key.raw[:], ring.root, []byte(text)} {
		part := secret[:min(len(secret), 12)]
		forbidden = append(forbidden, string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
			strings.Trim(fmt.Sprint(part), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"))
	}
	return h, forbidden
}

func TestNothingPrints(t *testing.T) {
	t.Parallel()
	h, forbidden := plant(t)
	check := func(how, out string) {
		t.Helper()
		for _, secret := range forbidden {
			if strings.Contains(out, secret) {
				t.Errorf("%s shows a secret: %q", how, out)
				return
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%08.3v", "%-40q"} {
		for _, value := range []any{h.Text, &h.Text, h.Texts, h.Named, h.Bytes, h.Ptr, h.Key, &h.Key, h.Ring, h.Value} {
			check(fmt.Sprintf("%s of %T", verb, value), fmt.Sprintf(verb, value))
		}
		check(verb+" of the struct", fmt.Sprintf(verb, h))
		check(verb+" of its pointer", fmt.Sprintf(verb, &h))
	}
	check("an error", fmt.Errorf("saving %v: %w", h.Text, errors.New(fmt.Sprint(h.Bytes))).Error())
	check("panic text", fmt.Sprint(any(h.Text), any(h.Key)))

	asJSON, err := json.Marshal(map[string]any{"all": h, "text": h.Text, "key": h.Key})
	if err != nil {
		t.Fatal(err)
	}
	check("JSON", string(asJSON))
	type element struct {
		Text   Text
		Sealed Sealed
	}
	asXML, err := xml.Marshal(element{h.Text, h.Bytes})
	if err != nil {
		t.Fatal(err)
	}
	check("XML", string(asXML))

	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
		slog.New(handler).Info("x", "text", h.Text, "sealed", h.Bytes, "key", h.Key, "ring", h.Ring, "all", h, "ptr", &h, "list", h.Texts)
	}
	check("slog", logged.String())
}

func TestTemplatesShowPlaceholders(t *testing.T) {
	t.Parallel()
	h, _ := plant(t)
	const page = `<p title="{{.Text}}">{{.Text}} {{.Bytes}} {{printf "%s" .Text}}</p><script>let a = {{.Text}}</script><a href="/x?q={{.Text}}">{{print .Text}}</a>`
	var out bytes.Buffer
	if err := htmltemplate.Must(htmltemplate.New("").Parse(page)).Execute(&out, h); err != nil {
		t.Fatal(err)
	}
	if err := texttemplate.Must(texttemplate.New("").Parse(page)).Execute(&out, h); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "Marguerite") || strings.Count(got, "[patient]") < 9 || !strings.Contains(got, "[sealed]") {
		t.Errorf("the templates wrote %q", got)
	}
	out.Reset()
	if err := htmltemplate.Must(htmltemplate.New("").Parse(`{{.Text.Reveal}}`)).Execute(&out, h); err != nil || out.String() != marked {
		t.Errorf("Reveal in a template wrote %q, %v", out.String(), err)
	}
}

func TestPlaceholdersAreTheOnesPromised(t *testing.T) {
	t.Parallel()
	h, _ := plant(t)
	for want, values := range map[string][]any{
		"[sealed]":  {h.Bytes, h.Ptr, Sealed(nil)},
		"[patient]": {h.Text, Text("")},
		"[key]":     {h.Key, Key{}, h.Ring},
	} {
		for _, value := range values {
			if got := fmt.Sprintf("%v", value); got != want {
				t.Errorf("%T prints %q, want %q", value, got, want)
			}
		}
	}
	if h.Bytes.String() != "[sealed]" || h.Text.String() != "[patient]" {
		t.Error("String shows something else")
	}
}
