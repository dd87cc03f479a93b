package local

import (
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestParseProcfile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want Procfile
		err  string
	}{
		"in order":       {"release: bin/a migrate\nweb: bin/web\n", Procfile{{"release", "bin/a migrate"}, {"web", "bin/web"}}, ""},
		"rest untouched": {"web:  bin/web -a 'b: c' # x\n", Procfile{{"web", "bin/web -a 'b: c' # x"}}, ""},
		"skips":          {"\n# note: this\n  \r\nweb: x\r\n", Procfile{{"web", "x"}}, ""},
		"no command":     {"web:\n", nil, "line 1"},
		"no name":        {"web: x\nbin/web\n", nil, "line 2"},
		"twice":          {"web: x\nweb: y\n", nil, "a second time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseProcfile(strings.NewReader(test.text))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestProcfileOfThisCheckout(t *testing.T) {
	t.Parallel()
	root, err := findRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	procfile, err := ReadProcfile(root + "/Procfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"release", "web", "worker"} {
		if _, err := procfile.Line(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := procfile.Line("sandbox"); err == nil {
		t.Error("the sandbox is not for production")
	}
}

func TestParseSettings(t *testing.T) {
	t.Parallel()
	got, err := ParseSettings(strings.NewReader("# keys\nA=1\nexport B=\"x=y\"\n\nC='MFkw=='\nD=\n"))
	want := []Setting{{"A", "1"}, {"B", "x=y"}, {"C", "MFkw=="}, {"D", ""}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if _, err := ParseSettings(strings.NewReader("A=1\n<html>\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names line 2", err)
	}
}

func TestEnvironmentPrecedence(t *testing.T) {
	t.Parallel()
	e := NewEnvironment([]string{"REDIS_URL=redis://mine", "PORT=", "SENTRY_DSN=", "KEYSET_FILE=/k", "OPENAI_API_KEY=real", "HOME=/h"})
	e.Fill("REDIS_URL", "ours")
	e.Fill("PORT", "8080")
	e.Fill("KEYSET", "ours")
	e.FillProvider([]Setting{
		{"SENTRY_DSN", "sandbox"},
		{"OPENAI_BASE_URL", "sandbox"}, {"OPENAI_API_KEY", "sandbox"}, {"OPENAI_MODEL", "m"},
		{"TWILIO_BASE_URL", "sandbox"}, {"TWILIO_AUTH_TOKEN", "sandbox"},
	})
	want := []string{"HOME=/h", "KEYSET_FILE=/k", "OPENAI_API_KEY=real", "OPENAI_MODEL=m", "PORT=8080", "REDIS_URL=redis://mine",
		"SENTRY_DSN=", "TWILIO_AUTH_TOKEN=sandbox", "TWILIO_BASE_URL=sandbox"}
	if got := e.List(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	e.Fill("QUOTED", "it's")
	mustContain(t, e.Filled(), `QUOTED='it'\''s'`, "PORT='8080'")
	if strings.Contains(e.Filled(), "real") || strings.Contains(e.Filled(), "HOME") {
		t.Errorf("the person's own values are not ours to repeat:\n%s", e.Filled())
	}
}

func TestChosenPort(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", ""} {
		taken, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
		want := "port " + port + " is taken; set PORT=… to another one"
		if _, err := chosenPort(NewEnvironment([]string{"PORT=" + port}), "PORT", "8080"); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := chosenPort(NewEnvironment([]string{"PORT=web"}), "PORT", "8080"); err == nil {
		t.Error("PORT=web passes for a number")
	}
	free, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := chosenPort(NewEnvironment(nil), "PORT", free); err != nil || got != free {
		t.Errorf("got %q, %v; want the fallback %s", got, err, free)
	}
}

func TestConsoleLines(t *testing.T) {
	t.Parallel()
	said := &transcript{}
	console := NewConsole(said, NewEnvironment(nil))
	w := console.Writer("web")
	for _, part := range []string{"one\ntw", "o\r\n", "\n", "rest"} {
		_, _ = w.Write([]byte(part))
	}
	_ = w.Close()
	if got, want := said.String(), "web      | one\nweb      | two\nweb      | \nweb      | rest\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	_, _ = w.Write([]byte(strings.Repeat("x", longestLine+1)))
	if got := strings.Count(said.String(), "x"); got != longestLine {
		t.Errorf("%d bytes of an endless line shown, want it broken at %d", got, longestLine)
	}
}

// One way to sign in: Access unless told otherwise, and a service that the person brought decides.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{"": "access", "SIGN_IN=access": "access", "SIGN_IN=oidc": "oidc",
		"OIDC_ISSUER=https://id.example": "oidc", "ACCESS_ISSUER=https://x.cloudflareaccess.com": "access"} {
		if got, err := signIn(NewEnvironment([]string{environ})); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", environ, got, err, want)
		}
	}
	if _, err := signIn(NewEnvironment([]string{"SIGN_IN=saml"})); err == nil || !strings.Contains(err.Error(), "SIGN_IN") {
		t.Errorf("another way: %v", err)
	}
}
