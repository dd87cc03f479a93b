package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
)

const redacted = "[redacted]"

// Secret is a setting that never prints. An empty one prints as nothing, so
// that a missing setting can be told from a hidden one.
type Secret string

// Reveal returns the secret itself, for the client that needs it.
func (s Secret) Reveal() string { return string(s) }

// String is [redacted].
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format writes [redacted] for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is [redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is [redacted]; JSON uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String lists the settings as NAME=value, a line each, with every secret
// redacted.
func (c Config) String() string {
	var out strings.Builder
	c.each(func(name, value string) { fmt.Fprintf(&out, "%s=%s\n", name, value) })
	return out.String()
}

// LogValue is a group of the settings under their names, secrets redacted.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	c.each(func(name, value string) { attrs = append(attrs, slog.String(name, value)) })
	return slog.GroupValue(attrs...)
}

func (c Config) each(visit func(name, value string)) {
	eachSetting(reflect.ValueOf(c), "", func(name string, _ reflect.StructField, value reflect.Value) {
		visit(name, fmt.Sprint(value.Interface()))
	})
}

// eachSetting visits the settings of a struct in their order, under the names
// of their variables.
func eachSetting(of reflect.Value, prefix string, visit func(name string, field reflect.StructField, value reflect.Value)) {
	for i := range of.NumField() {
		field := of.Type().Field(i)
		if group, ok := field.Tag.Lookup("envPrefix"); ok {
			eachSetting(of.Field(i), prefix+group, visit)
			continue
		}
		visit(prefix+field.Tag.Get("env"), field, of.Field(i))
	}
}
