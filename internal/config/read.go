package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// maxSecretFile is the most that a NAME_FILE may hold, in bytes.
const maxSecretFile = 64 << 10

// read fills a Config from the environment and the files it names, and says
// what could not be read. A variable that is set to nothing counts as not set.
func read(getenv func(string) string) (*Config, Complaints) {
	var (
		c          Config
		complaints Complaints
		environ    = map[string]string{}
		names      = map[string]string{} // variable by Go field name and type, which is all that env's errors tell
	)
	eachSetting(reflect.ValueOf(c), "", func(name string, field reflect.StructField, _ reflect.Value) {
		names[field.Name+" "+field.Type.String()] = name
		value, err := lookUp(getenv, name)
		if err != nil {
			complaints = append(complaints, err.Error()+".")
		}
		if value != "" {
			environ[name] = value
		}
	})
	err := env.ParseWithOptions(&c, env.Options{
		Environment: environ,
		FuncMap:     map[reflect.Type]env.ParserFunc{reflect.TypeFor[[]netip.Prefix](): parseNetworks},
	})
	complaints = append(complaints, unreadable(err, names)...)
	c.complete()
	return &c, complaints
}

// complete fills in the defaults that depend on another setting.
func (c *Config) complete() {
	if c.BaseURL == "" {
		c.BaseURL = fmt.Sprintf("http://localhost:%d", c.Port)
	}
	if c.LogLevel == "" {
		c.LogLevel = c.Env.LogLevel()
	}
	if c.MigrateDatabaseURL == "" {
		c.MigrateDatabaseURL = c.DatabaseURL
	}
	for _, address := range []*string{&c.BaseURL, &c.Access.Issuer, &c.SendGrid.BaseURL, &c.Twilio.BaseURL, &c.OpenAI.BaseURL} {
		*address = strings.TrimRight(*address, "/")
	}
	if c.ProbeURL == "" {
		c.ProbeURL = c.BaseURL + "/readyz"
	}
}

// lookUp returns a variable's value, or the content of the file that NAME_FILE
// names, without its last line break.
func lookUp(getenv func(string) string, name string) (string, error) {
	value, path := strings.TrimSpace(getenv(name)), getenv(name+"_FILE")
	if path == "" {
		return value, nil
	}
	if value != "" {
		return value, fmt.Errorf("%s and %s_FILE are both set; keep one of them", name, name)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s_FILE names a file that cannot be opened", name)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil || len(content) > maxSecretFile {
		return "", fmt.Errorf("%s_FILE names a file that cannot be read or is over 64 KiB", name)
	}
	value = strings.TrimSpace(string(content))
	if value == "" {
		return "", fmt.Errorf("%s_FILE names an empty file", name)
	}
	return value, nil
}

// unreadable turns the library's errors into sentences. They never quote the
// value.
func unreadable(err error, names map[string]string) Complaints {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return Complaints{"The environment cannot be read: " + err.Error() + "."}
	}
	var complaints Complaints
	for _, each := range all.Errors {
		var bad env.ParseError
		if !errors.As(each, &bad) {
			complaints = append(complaints, "The environment cannot be read: "+each.Error()+".")
			continue
		}
		complaints = append(complaints, names[bad.Name+" "+bad.Type.String()]+" must be "+wanted(bad.Type)+".")
	}
	return complaints
}

func wanted(kind reflect.Type) string {
	switch kind {
	case reflect.TypeFor[time.Duration]():
		return "a length of time such as 25s or 300ms"
	case reflect.TypeFor[[]netip.Prefix]():
		return "a list of networks with commas, such as 10.0.0.0/8,192.0.2.7"
	case reflect.TypeFor[int]():
		return "a whole number"
	default:
		return "a value of another kind (" + kind.String() + ")"
	}
}

// parseNetworks reads networks and single addresses separated by commas.
func parseNetworks(list string) (any, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		network, err := netip.ParsePrefix(part)
		if err != nil {
			address, err := netip.ParseAddr(part)
			if err != nil {
				return nil, err
			}
			address = address.Unmap().WithZone("")
			network = netip.PrefixFrom(address, address.BitLen())
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
