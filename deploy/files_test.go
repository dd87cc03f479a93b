package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/goccy/go-yaml"

	"countersign/internal/config"
)

// file reads a file of the house.
func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parsed reads a file in its own language into plain maps and lists.
func parsed(t *testing.T, name string) map[string]any {
	t.Helper()
	text, into := file(t, name), map[string]any{}
	var err error
	switch filepath.Ext(name) {
	case ".json":
		err = json.Unmarshal([]byte(text), &into)
	case ".toml":
		if _, err = toml.Decode(text, &into); err == nil { // its lists of tables become plain lists
			var plain []byte
			if plain, err = json.Marshal(into); err == nil {
				err = json.Unmarshal(plain, &into)
			}
		}
	default:
		err = yaml.Unmarshal([]byte(text), &into)
	}
	if err != nil || len(into) == 0 {
		t.Fatalf("%s cannot be read: %v", name, err)
	}
	return into
}

// dig follows names and numbers down into what was parsed.
func dig(t *testing.T, from any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch at := from.(type) {
		case map[string]any:
			from = at[step.(string)]
		case []any:
			from = at[step.(int)]
		default:
			from = nil
		}
	}
	if from == nil {
		t.Fatalf("there is nothing at %v", path)
	}
	return from
}

// settings are the names that config knows.
func settings() map[string]bool {
	known := map[string]bool{}
	var read func(reflect.Type, string)
	read = func(of reflect.Type, prefix string) {
		for i := range of.NumField() {
			field := of.Field(i)
			if group, ok := field.Tag.Lookup("envPrefix"); ok {
				read(field.Type, prefix+group)
				continue
			}
			known[prefix+field.Tag.Get("env")] = true
		}
	}
	read(reflect.TypeFor[config.Config](), "")
	return known
}

// foreign are variables that others than us read, with who does.
var foreign = map[string]string{
	"GO_INSTALL_PACKAGE_SPEC": "Heroku's Go buildpack", "AWS_ACCESS_KEY_ID": "the S3 client", "AWS_SECRET_ACCESS_KEY": "the S3 client",
	"POSTGRES_PASSWORD_FILE": "the Postgres image", "POSTGRES_INITDB_ARGS": "the Postgres image", "ZONEINFO": "Go's package time",
}

// named fails for a variable that nobody reads.
func named(t *testing.T, where string, names ...string) {
	t.Helper()
	known := settings()
	for _, name := range names {
		if !known[name] && !known[strings.TrimSuffix(name, "_FILE")] && foreign[name] == "" {
			t.Errorf("%s sets %s, which nobody reads", where, name)
		}
	}
	if len(names) == 0 {
		t.Errorf("no variable was found in %s", where)
	}
}

func keys(of any) (names []string) {
	for name := range of.(map[string]any) {
		names = append(names, name)
	}
	return names
}

// Every variable that a platform's file names is a setting.
func TestFilesNameRealSettings(t *testing.T) {
	t.Parallel()
	named(t, "app.json", keys(dig(t, parsed(t, "app.json"), "env"))...)
	named(t, "fly.toml", keys(dig(t, parsed(t, "fly.toml"), "env"))...)
	named(t, "devcontainer.json", keys(dig(t, parsed(t, ".devcontainer/devcontainer.json"), "containerEnv"))...)
	render := parsed(t, "render.yaml")
	lists := []any{dig(t, render, "envVarGroups", 0, "envVars"), dig(t, render, "services", 0, "envVars")}
	for _, list := range lists {
		for _, one := range list.([]any) {
			if name, ok := one.(map[string]any)["key"]; ok {
				named(t, "render.yaml", name.(string))
			}
		}
	}
	for name, service := range dig(t, parsed(t, "compose.yaml"), "services").(map[string]any) {
		if environment, ok := service.(map[string]any)["environment"]; ok {
			named(t, "compose.yaml, "+name, keys(environment)...)
		}
	}
	for _, unit := range units(t) {
		var names []string
		for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(unit.text, -1) {
			for pair := range strings.FieldsSeq(line[1]) {
				name, _, _ := strings.Cut(pair, "=")
				names = append(names, name)
			}
		}
		named(t, unit.name, names...)
	}
}

// What every example asks for is enough to start where real people's data is: with those set and nothing else, no setting is
// missing. A new required setting shows here first.
func TestFilesAskForEverything(t *testing.T) {
	t.Parallel()
	given := func(names []string) func(string) string {
		return func(name string) string {
			for _, one := range names {
				if one == name {
					return "x"
				}
			}
			return ""
		}
	}
	var render []string
	for _, one := range dig(t, parsed(t, "render.yaml"), "envVarGroups", 0, "envVars").([]any) {
		render = append(render, one.(map[string]any)["key"].(string))
	}
	byPlatform := []string{"DATABASE_URL", "REDIS_URL"} // which add-ons set
	for where, names := range map[string][]string{"app.json": append(keys(dig(t, parsed(t, "app.json"), "env")), byPlatform...), "render.yaml": render} {
		_, err := config.Load(given(names))
		for line := range strings.Lines(err.Error()) {
			name, _, _ := strings.Cut(line, " ")
			if given(names)(name) == "" && !strings.HasPrefix(name, "ACCESS_") && name != "MIGRATE_DATABASE_URL" && name != "OIDC_ISSUER" {
				t.Errorf("%s does not ask for it: %s", where, line)
			}
		}
	}
}
